"""The three levels a student learns from: labels, logits, hidden states.

Source: "Multi-Level Knowledge Distillation for Speech Emotion Recognition in
Noisy Conditions", Interspeech 2023, https://arxiv.org/abs/2312.13556. The
objective on a batch is::

    L = alpha * KL(p_t || p_s) + (1 - alpha) * CE(y, student logits) + MSE

Authors
 * The MLKD team 2026
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mlkd_brain.names import UNLABELLED


class LogitDistillation(torch.nn.Module):
    """Match the student's softened class distribution to the teacher's.

    The value is ``KL(p_t || p_s)`` in nats, averaged over the batch, with
    ``p = softmax(logits / T)``. It is zero when the two distributions agree and
    never negative.

    Source: the paper's logit level; Hinton et al., "Distilling the Knowledge in
    a Neural Network", 2015, section 2 (https://arxiv.org/abs/1503.02531). The
    paper has no factor ``T**2``, Hinton has it; here it is a switch.

    Arguments
    ---------
    temperature : float
        Softening factor ``T``, without unit, greater than 0.
    times_squared_temperature : bool
        Whether to multiply by ``T**2``, which keeps the size of the gradient
        when ``T`` changes.

    Raises
    ------
    ValueError
        If ``temperature`` is not greater than 0.

    Example
    -------
    >>> logits = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    >>> LogitDistillation(temperature=7.0)(logits, logits).item()
    0.0
    """

    def __init__(
        self, temperature: float, times_squared_temperature: bool = False
    ):
        super().__init__()
        if not temperature > 0:
            raise ValueError(
                f"temperature is {temperature}; it must be greater than 0. "
                "Change it in hparams/student.yaml."
            )
        self.temperature = temperature
        self.scale = temperature**2 if times_squared_temperature else 1.0

    def forward(
        self, student_logits: torch.Tensor, teacher_logits: torch.Tensor
    ) -> torch.Tensor:
        """Divergence of the student from the teacher.

        Arguments
        ---------
        student_logits, teacher_logits : torch.Tensor
            Unnormalised scores, (batch, classes). No gradient flows into the
            teacher's.

        Returns
        -------
        torch.Tensor
            Nats, ().
        """
        student, teacher = (
            F.log_softmax(logits.float() / self.temperature, dim=-1)
            for logits in (student_logits, teacher_logits.detach())
        )
        divergence = F.kl_div(
            student, teacher, reduction="batchmean", log_target=True
        )
        return self.scale * divergence


class FeatureDistillation(torch.nn.Module):
    """Match the student's hidden states to those of the paired teacher blocks.

    The value is the mean distance over valid frames and features, summed (or
    averaged) over the pairs of blocks; the padding does not count. It is zero
    when the hidden states agree.

    Source: the paper's feature level, student block i with teacher block 2i.

    Arguments
    ---------
    over_pairs : str
        "sum" (the paper's) or "mean".
    distance : str
        "mse" (the paper's), "l1", or "cosine": one minus the cosine.
    layer_norm : bool
        Whether each frame is normalised first, to zero mean and unit variance
        over its features. Raw hidden states (the paper's) differ in scale from
        encoder to encoder, and a few large features decide.

    Raises
    ------
    ValueError
        If ``over_pairs`` or ``distance`` is none of these, or the numbers of
        blocks differ.

    Example
    -------
    >>> frames = torch.tensor([[True, True, False]])
    >>> student = torch.zeros(1, 3, 2)
    >>> teacher = torch.tensor([[[1.0, 1.0], [1.0, 1.0], [9.0, 9.0]]])
    >>> FeatureDistillation()([student], [teacher], frames).item()
    1.0
    """

    def __init__(
        self,
        over_pairs: str = "sum",
        distance: str = "mse",
        layer_norm: bool = False,
    ):
        super().__init__()
        for key, value, allowed in (
            ("over_pairs", over_pairs, ["sum", "mean"]),
            ("distance", distance, list(DISTANCES)),
        ):
            if value not in allowed:
                raise ValueError(
                    f"Bad value '{value}' for {key}, expected one of {allowed}."
                )
        self.over_pairs = over_pairs
        self.distance: Any = DISTANCES[distance]
        self.layer_norm = layer_norm

    def forward(
        self,
        student_blocks: Sequence[torch.Tensor],
        teacher_blocks: Sequence[torch.Tensor],
        frame_mask: torch.Tensor,
    ) -> torch.Tensor:
        """Error of the student's hidden states.

        Arguments
        ---------
        student_blocks, teacher_blocks : list of torch.Tensor
            Paired hidden states, each (batch, frames, features). No gradient
            flows into the teacher's.
        frame_mask : torch.Tensor
            True on valid frames, False in the padding, (batch, frames).

        Returns
        -------
        torch.Tensor
            Without unit, ().
        """
        if len(student_blocks) != len(teacher_blocks):
            raise ValueError(
                f"{len(student_blocks)} student blocks and "
                f"{len(teacher_blocks)} teacher blocks are paired one to one. "
                "Change teacher_layers in hparams/student.yaml."
            )
        errors = [
            self._error(student, teacher.detach(), frame_mask)
            for student, teacher in zip(student_blocks, teacher_blocks)
        ]
        total = torch.stack(errors).sum() / frame_mask.sum()
        return total / len(errors) if self.over_pairs == "mean" else total

    def _error(self, student, teacher, frame_mask):
        """Sum of the distances of valid frames, ().

        The padding is set to zero rather than cut out, for which a GPU would
        have to be waited for.
        """
        student, teacher = student.float(), teacher.float()
        if self.layer_norm:
            size = student.shape[-1:]
            student = F.layer_norm(student, size)
            teacher = F.layer_norm(teacher, size)
        # (batch, frames)
        distances = self.distance(student, teacher)
        return distances.masked_fill(~frame_mask, 0.0).sum()


def squared_distance(
    student: torch.Tensor, teacher: torch.Tensor
) -> torch.Tensor:
    """Mean squared difference of each pair of frames.

    Example
    -------
    >>> squared_distance(torch.zeros(3, 2), torch.full((3, 2), 2.0))
    tensor([4., 4., 4.])
    """
    return F.mse_loss(student, teacher, reduction="none").mean(dim=-1)


def absolute_distance(
    student: torch.Tensor, teacher: torch.Tensor
) -> torch.Tensor:
    """Mean absolute difference of each pair of frames.

    Example
    -------
    >>> absolute_distance(torch.zeros(3, 2), torch.full((3, 2), 2.0))
    tensor([2., 2., 2.])
    """
    return F.l1_loss(student, teacher, reduction="none").mean(dim=-1)


def cosine_distance(
    student: torch.Tensor, teacher: torch.Tensor
) -> torch.Tensor:
    """One minus the cosine of each pair of frames, in [0, 2].

    Example
    -------
    >>> frames = torch.tensor([[3.0, 4.0]])
    >>> cosine_distance(frames, 2 * frames)
    tensor([0.])
    """
    return 1 - F.cosine_similarity(student, teacher, dim=-1)


#: Of frames, the features last.
DISTANCES = {
    "mse": squared_distance,
    "l1": absolute_distance,
    "cosine": cosine_distance,
}


class MultiLevelObjective(torch.nn.Module):
    """The paper's objective: labels, logits and hidden states together.

    ``alpha * KL + (1 - alpha) * CE + feature_weight * MSE``. The paper's
    ``feature_weight`` is 1. Labels of -100 do not count: an utterance without a
    label is learned from through the other two terms.

    Arguments
    ---------
    logit_level : LogitDistillation
        The KL term.
    feature_level : FeatureDistillation
        The MSE term.
    alpha : float
        Weight of the teacher's distribution against the labels, in [0, 1].
    feature_weight : float
        Weight of the MSE term, at least 0.
    balance_batches : int
        0 takes the weights as they are (the paper's). Otherwise that many
        batches at the student's start say how large the gradient of each term
        is, and each weight is divided by it, relative to the cross-entropy's:
        with ``alpha`` 0.5 and ``feature_weight`` 0.5 labels, logits and hidden
        states then pull equally, whatever the encoder and the temperature.

    Raises
    ------
    ValueError
        If a weight is out of range.

    Example
    -------
    >>> objective = MultiLevelObjective(
    ...     LogitDistillation(7.0), FeatureDistillation(), alpha=0.7
    ... )
    >>> logits, labels = torch.zeros(1, 4), torch.tensor([2])
    >>> blocks, mask = [torch.zeros(1, 5, 8)], torch.ones(1, 5).bool()
    >>> loss, terms = objective(logits, logits, blocks, blocks, mask, labels)
    >>> terms["kl"].item(), terms["mse"].item()  # the student is the teacher
    (0.0, 0.0)
    >>> bool(torch.isclose(terms["ce"], torch.tensor(4.0).log()))
    True
    """

    def __init__(
        self,
        logit_level: LogitDistillation,
        feature_level: FeatureDistillation,
        alpha: float,
        feature_weight: float = 1.0,
        balance_batches: int = 0,
    ):
        super().__init__()
        if not 0 <= alpha <= 1 or not feature_weight >= 0:
            raise ValueError(
                f"alpha is {alpha} and feature_weight {feature_weight}; alpha "
                "lies in [0, 1] and feature_weight is at least 0. "
                "Change them in hparams/student.yaml."
            )
        self.logit_level = logit_level
        self.feature_level = feature_level
        self.weights = {"kl": alpha, "ce": 1 - alpha, "mse": feature_weight}
        self.balance_batches = balance_batches
        # kept with the checkpoint: a resumed run goes on with its own
        self.scales: torch.Tensor
        self.register_buffer("scales", torch.zeros(len(self.weights)))

    def forward(
        self,
        student_logits: torch.Tensor,
        teacher_logits: torch.Tensor,
        student_blocks: Sequence[torch.Tensor],
        teacher_blocks: Sequence[torch.Tensor],
        frame_mask: torch.Tensor,
        labels: torch.Tensor,
        class_weights: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Total loss and its unweighted terms.

        Arguments
        ---------
        student_logits, ..., frame_mask
            As for the two levels.
        labels : torch.Tensor
            Class indices, (batch,).
        class_weights : torch.Tensor, optional
            Of the cross-entropy, see ``label_loss``.

        Returns
        -------
        loss : torch.Tensor
            What is minimised, ().
        terms : dict
            "ce" and "kl" in nats, "mse" without unit, each ().
        """
        terms = {
            "ce": label_loss(student_logits, labels, class_weights),
            "kl": self.logit_level(student_logits, teacher_logits),
            "mse": self.feature_level(
                student_blocks, teacher_blocks, frame_mask
            ),
        }
        kl, ce, mse = self.weighted(terms).values()
        return kl + ce + mse, terms

    def weighted(
        self, terms: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The terms as they stand in the total, each ()."""
        weighted = {name: w * terms[name] for name, w in self.weights.items()}
        if self.is_balanced:
            scales = zip(weighted.items(), self.scales)
            weighted = {name: s * value for (name, value), s in scales}
        return weighted

    @property
    def is_balanced(self) -> bool:
        """Whether the terms have been put on one scale."""
        return self.balance_batches > 0 and bool(self.scales.any())

    def balance(self, norms: dict[str, float]) -> None:
        """Put the terms on one scale, in place.

        Arguments
        ---------
        norms : dict
            Size of each unweighted term's gradient at the student's start.
        """
        for index, name in enumerate(self.weights):
            tiny = norms[name] < 1e-12  # agrees already: nothing to scale
            self.scales[index] = 1.0 if tiny else norms["ce"] / norms[name]


def label_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy over the labelled utterances; 0 if there are none.

    Arguments
    ---------
    logits : torch.Tensor
        Unnormalised scores, (batch, classes).
    labels : torch.Tensor
        Class indices, -100 without a label, (batch,).
    class_weights : torch.Tensor, optional
        Factor for the utterances of each class, (classes,).

    Returns
    -------
    torch.Tensor
        Nats, ().

    Example
    -------
    >>> label_loss(torch.zeros(2, 4), torch.tensor([-100, -100])).item()
    0.0
    """
    labelled = (labels != UNLABELLED).sum().clamp(min=1)
    total = F.cross_entropy(
        logits.float(),
        labels,
        class_weights,
        reduction="sum",
        ignore_index=UNLABELLED,
    )
    return total / labelled


def balanced_weights(labels: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Weights with which every class counts alike; 1 on average.

    Arguments
    ---------
    labels : torch.Tensor
        Class indices of all training utterances, -100 without a label.
    n_classes : int
        Number of classes. One without an utterance has the weight 0.

    Returns
    -------
    torch.Tensor
        (classes,)

    Example
    -------
    >>> balanced_weights(torch.tensor([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(labels[labels != UNLABELLED], minlength=n_classes)
    present = counts > 0
    equal = counts.sum() / present.sum()
    return torch.where(present, equal / counts.clamp(min=1), 0.0)
