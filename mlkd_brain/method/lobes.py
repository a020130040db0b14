"""The classifier on top of a speech encoder, and a student from its teacher.

Authors
 * The MLKD team 2026
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.pooling import make_pooling


class Classification(NamedTuple):
    """Logits, and what the encoder computed on the way."""

    logits: torch.Tensor  # unnormalised scores, (batch, classes), float32
    blocks: list[torch.Tensor]  # each (batch, frames, features)
    frame_mask: torch.Tensor  # True on valid frames, (batch, frames)


class EmotionClassifier(torch.nn.Module):
    """Encoder, pooling over valid frames, one fully connected layer.

    Teacher and student alike; they differ in the blocks of their encoder.

    Arguments
    ---------
    encoder : SpeechEncoder
        Turns waveforms into hidden states.
    n_classes : int
        Number of emotions.
    pooling : str
        From frames to one vector, one of ``mlkd_brain.method.pooling.POOLINGS``;
        "mean" is the paper's.

    Example
    -------
    >>> encoder = SpeechEncoder(getfixture("tiny_wav2vec2"))
    >>> model = EmotionClassifier(encoder, n_classes=4)
    >>> model(torch.randn(2, 8000), torch.tensor([1.0, 0.5])).logits.shape
    torch.Size([2, 4])
    """

    def __init__(
        self, encoder: SpeechEncoder, n_classes: int, pooling: str = "mean"
    ):
        super().__init__()
        self.encoder = encoder
        self.pooling = make_pooling(pooling, encoder.hidden_size)
        self.head = torch.nn.Linear(self.pooling.output_size, n_classes)

    def forward(
        self, wavs: torch.Tensor, wav_lens: torch.Tensor | None = None
    ) -> Classification:
        """Classify a batch of waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time).
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,).

        Returns
        -------
        Classification
            Logits, hidden states and frame mask.
        """
        encoding = self.encoder(wavs, wav_lens)
        pooled = self.pooling(encoding.last, encoding.frame_mask)
        with torch.autocast(pooled.device.type, enabled=False):
            logits = self.head(pooled)
        return Classification(logits, encoding.blocks, encoding.frame_mask)


def copy_teacher(
    student: EmotionClassifier,
    teacher: EmotionClassifier,
    kept_layers: Sequence[int],
) -> None:
    """Start a student from a trained teacher, in place.

    Block i of the student becomes the teacher's block ``kept_layers[i - 1]``;
    conv encoder, projections, positional conv, pooling and classifier are copied
    too.

    Source: the paper's initialisation, ``kept_layers`` = 2, 4, ..., 12.

    Arguments
    ---------
    student : EmotionClassifier
        Built with the same ``kept_layers``.
    teacher : EmotionClassifier
        Unchanged.
    kept_layers : list of int
        The teacher's blocks, counted from 1, one for each student block.

    Example
    -------
    >>> folder = getfixture("tiny_wav2vec2")
    >>> teacher = EmotionClassifier(SpeechEncoder(folder), 4)
    >>> student = EmotionClassifier(SpeechEncoder(folder, kept_layers=[2]), 4)
    >>> copy_teacher(student, teacher, [2])
    >>> torch.equal(student.head.weight, teacher.head.weight)
    True
    """
    cut = copy.deepcopy(teacher)
    cut.encoder.keep_blocks(kept_layers)
    student.load_state_dict(cut.state_dict())


def freeze(model: Any) -> Any:
    """Make a model a fixed reference, in place: no gradient, no dropout.

    Arguments
    ---------
    model : torch.nn.Module
        Returned too.

    Example
    -------
    >>> teacher = freeze(torch.nn.Linear(2, 2))
    >>> teacher.training, teacher.weight.requires_grad
    (False, False)
    """
    return model.eval().requires_grad_(False)
