"""SpecAugment: in training, spans of frames and of features are set to zero.

Authors
 * The MLKD team 2026
"""

from collections.abc import Sequence
from typing import Any

import torch
from mlkd_brain.errors import InputError
from mlkd_brain.noise.sampling import uniform


class SpecAugment:
    """Masks the features that the transformer gets.

    What is masked depends on the seed, the epoch and the utterance alone;
    SpeechBrain's and transformers' masks depend on the batches before, too.

    Source: Park et al., "SpecAugment", 2019, without the warping of time; on
    the output of the conv layers, as wav2vec 2.0 is fine-tuned.

    Arguments
    ---------
    time_masks, feature_masks : int
        Spans an utterance, at least 0.
    time_width, feature_width : float
        Longest span, as a share of the utterance's frames or of the features,
        in (0, 1].
    seed : int
        Another seed gives other spans.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Source of the epoch.

    Raises
    ------
    InputError
        If a number or a width is out of range.

    Example
    -------
    >>> from speechbrain.utils.epoch_loop import EpochCounter
    >>> masks = SpecAugment(1, 0.5, 0, 0.5, 1986, EpochCounter(limit=1))
    >>> masks.choose(["u1"])
    >>> masked = masks(torch.ones(1, 100, 4), torch.ones(1, 100).bool())
    >>> 0 < (masked == 0).float().mean() <= 0.5
    tensor(True)
    """

    def __init__(
        self,
        time_masks: int,
        time_width: float,
        feature_masks: int,
        feature_width: float,
        seed: int,
        epoch_counter: Any,
    ):
        for name, number, width in (
            ("time_mask", time_masks, time_width),
            ("feature_mask", feature_masks, feature_width),
        ):
            if type(number) is not int or number < 0 or not 0 < width <= 1:
                raise InputError(
                    f"{name}s is {number} and {name}_width {width}; give a whole "
                    "number from 0 and a share above 0, at most 1."
                )
        self.spans = {
            "time": (time_masks, time_width),
            "feature": (feature_masks, feature_width),
        }
        self.seed, self.epoch_counter = seed, epoch_counter
        self.utterances: Sequence[str] = ()

    def choose(self, utterances: Sequence[str]) -> None:
        """Name the utterances of the next batch; none leaves it as it is."""
        self.utterances = utterances

    def __call__(
        self, hidden: torch.Tensor, frame_mask: torch.Tensor
    ) -> torch.Tensor:
        """Mask a batch.

        Arguments
        ---------
        hidden : torch.Tensor
            (batch, frames, features)
        frame_mask : torch.Tensor
            True on valid frames, (batch, frames).

        Returns
        -------
        torch.Tensor
            (batch, frames, features); the padding as it was.
        """
        if not self.utterances or not any(n for n, _ in self.spans.values()):
            return hidden
        _, frames, features = hidden.shape
        valid = frame_mask.sum(dim=1, keepdim=True)
        time = self._mask("time", frames, valid)
        feature = self._mask(
            "feature", features, torch.full_like(valid, features)
        )
        return hidden.masked_fill(time[..., None] | feature[:, None], 0.0)

    def _mask(self, kind, size, valid):
        """True on what is masked, (batch, size); ``valid`` entries count."""
        count, width = self.spans[kind]
        index = torch.arange(size, device=valid.device)
        shape = len(self.utterances), size
        mask = torch.zeros(shape, dtype=torch.bool, device=valid.device)
        for span in range(count):
            shares = [self._span(kind, span, u, width) for u in self.utterances]
            ends = torch.tensor(shares).to(valid.device, non_blocking=True)
            start, stop = ends.split(1, dim=1)  # (batch, 1) each
            first, last = (start * valid).round(), (stop * valid).round()
            mask |= (index >= first) & (index < last)
        return mask

    def _span(self, kind, span, utterance, longest):
        """Where a span starts and ends, as shares in [0, 1]."""
        epoch = self.epoch_counter.current
        key = ("spec_augment", kind, span, self.seed, epoch, utterance)
        width, start = uniform(key, 2)
        start *= 1 - width * longest
        return start, start + width * longest
