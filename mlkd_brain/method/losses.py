"""The three levels a student learns from: labels, logits, hidden states.

Source: "Multi-Level Knowledge Distillation for Speech Emotion Recognition in
Noisy Conditions", Interspeech 2023, https://arxiv.org/abs/2312.13556. The
objective on a batch is::

    L = alpha * KL(p_t || p_s) + (1 - alpha) * CE(y, student logits) + MSE

Authors
 * The MLKD team 2026
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F


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

    The value is the mean squared error over valid frames and features, summed
    (or averaged) over the pairs of blocks; the padding does not count. It is zero
    when the hidden states agree.

    Source: the paper's feature level, student block i with teacher block 2i.

    Arguments
    ---------
    over_pairs : str
        "sum" (the paper's) or "mean".

    Raises
    ------
    ValueError
        If ``over_pairs`` is neither, or the numbers of blocks differ.

    Example
    -------
    >>> frames = torch.tensor([[True, True, False]])
    >>> student = torch.zeros(1, 3, 2)
    >>> teacher = torch.tensor([[[1.0, 1.0], [1.0, 1.0], [9.0, 9.0]]])
    >>> FeatureDistillation()([student], [teacher], frames).item()
    1.0
    """

    def __init__(self, over_pairs: str = "sum"):
        super().__init__()
        if over_pairs not in ("sum", "mean"):
            raise ValueError(
                f"Bad value '{over_pairs}' for over_pairs, "
                "expected one of ['sum', 'mean']."
            )
        self.over_pairs = over_pairs

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
            F.mse_loss(
                student[frame_mask].float(),
                teacher[frame_mask].detach().float(),
            )
            for student, teacher in zip(student_blocks, teacher_blocks)
        ]
        total = torch.stack(errors).sum()
        return total / len(errors) if self.over_pairs == "mean" else total


class MultiLevelObjective(torch.nn.Module):
    """The paper's objective: labels, logits and hidden states together.

    ``alpha * KL + (1 - alpha) * CE + feature_weight * MSE``. The paper's
    ``feature_weight`` is 1.

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
        self.alpha = alpha
        self.feature_weight = feature_weight

    def forward(
        self,
        student_logits: torch.Tensor,
        teacher_logits: torch.Tensor,
        student_blocks: Sequence[torch.Tensor],
        teacher_blocks: Sequence[torch.Tensor],
        frame_mask: torch.Tensor,
        labels: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Total loss and its unweighted terms.

        Arguments
        ---------
        student_logits, ..., frame_mask
            As for the two levels.
        labels : torch.Tensor
            Class indices, (batch,).

        Returns
        -------
        loss : torch.Tensor
            What is minimised, ().
        terms : dict
            "ce" and "kl" in nats, "mse" without unit, each ().
        """
        terms = {
            "ce": F.cross_entropy(student_logits.float(), labels),
            "kl": self.logit_level(student_logits, teacher_logits),
            "mse": self.feature_level(
                student_blocks, teacher_blocks, frame_mask
            ),
        }
        loss = (
            self.alpha * terms["kl"]
            + (1 - self.alpha) * terms["ce"]
            + self.feature_weight * terms["mse"]
        )
        return loss, terms
