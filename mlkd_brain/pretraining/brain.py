"""A Brain that learns from unlabelled speech.

Authors
 * The MLKD team 2026
"""

import time
from functools import partial
from typing import Any

import numpy as np
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.schedule import set_learning_rate
from mlkd_brain.pretraining.distortions import generator
from mlkd_brain.run.brain import ResumableBrain
from mlkd_brain.run.console import show_epoch
from mlkd_brain.run.epoch_clock import seconds_left
from tqdm import tqdm

import speechbrain as sb


class MaskedSpans:
    """Samples which frames are hidden from the transformer.

    Arguments
    ---------
    ratio : float
        Probability that a frame begins a span, times the span, in [0, 1).
    span : int
        Frames of a span, at least 1; spans may overlap.

    Raises
    ------
    ValueError
        If one of them is out of range.

    Example
    -------
    >>> MaskedSpans(ratio=0.0, span=5)(("u1", 1), frames=100).sum()
    tensor(0.)
    """

    def __init__(self, ratio: float, span: int) -> None:
        if not (0 <= ratio < 1 and span >= 1):
            raise ValueError(
                f"masked_ratio is {ratio} and masked_frames {span}; give a ratio "
                "in [0, 1) and at least 1 frame."
            )
        self.ratio, self.span = ratio, span

    def __call__(self, key: tuple, frames: int) -> torch.Tensor:
        """Sample the mask of a crop.

        Arguments
        ---------
        key : tuple
            What the sample depends on.
        frames : int
            Frames of the crop.

        Returns
        -------
        torch.Tensor
            1 on masked frames, float, (frames,).
        """
        starts = generator("mask", *key).random(frames) < self.ratio / self.span
        reached = np.convolve(starts, np.ones(self.span))[:frames]
        return torch.from_numpy(reached > 0).float()


class FrameMasking(torch.nn.Module):
    """Replaces masked frames by a learned vector where they enter the transformer.

    Arguments
    ---------
    encoder : mlkd_brain.method.encoders.SpeechEncoder
        Masked while ``masked`` is set.
    """

    def __init__(self, encoder: SpeechEncoder) -> None:
        super().__init__()
        self.vector = torch.nn.Parameter(torch.rand(encoder.hidden_size))
        self.masked: torch.Tensor | None = None
        encoder.model.feature_projection.register_forward_hook(self._replace)

    def _replace(self, projection, inputs, outputs):
        hidden, features = outputs
        if self.masked is not None:
            masked = self.masked[..., None]
            hidden = torch.where(masked, self.vector.to(hidden.dtype), hidden)
        return hidden, features


def drop_blocks(encoder: SpeechEncoder, ratio: float) -> SpeechEncoder:
    """Have training skip each transformer block with some probability.

    Blocks that have learned to do without their neighbours make a good student
    of every second one. Unlike the layer drop of transformers, a dropped block
    still has a hidden state: its input.

    Source: Fan et al., "Reducing Transformer Depth on Demand with Structured
    Dropout", ICLR 2020 (https://arxiv.org/abs/1909.11556).

    Arguments
    ---------
    encoder : mlkd_brain.method.encoders.SpeechEncoder
        Changed in place.
    ratio : float
        Probability, in [0, 1).

    Returns
    -------
    mlkd_brain.method.encoders.SpeechEncoder
        The same encoder.
    """
    for block in encoder.model.encoder.layers:
        block.forward = partial(_forward_or_not, block, block.forward, ratio)
    return encoder


def _forward_or_not(block, forward, ratio, hidden, *args, **kwargs):
    if block.training and torch.rand(()) < ratio:
        return hidden
    return forward(hidden, *args, **kwargs)


class PretrainingBrain(ResumableBrain):
    """Predicts targets of clean crops from distorted ones.

    Modules: ``encoder``, a ``SpeechEncoder``; ``masking``, its ``FrameMasking``;
    ``descriptors``, ``FrameDescriptors`` with the encoder's frames; ``scale``,
    their ``Standardiser``; ``heads``, a ModuleDict of those in ``targets``.
    Hparams: ``target_weights`` by name; ``lr_schedule``, a SpeechBrain scheduler
    that only lacks its ``num_training_steps``; ``measured_utterances``,
    ``epoch_counter`` and ``number_of_epochs``. A batch has ``clean_sig``, ``sig``
    and ``masked``.
    """

    statistics = ("term_sums", "batches", "samples", "elapsed")

    def fit_speech(self, datasets: dict[str, Any]) -> None:
        """Measure the targets' scale, then train.

        Arguments
        ---------
        datasets : dict
            "train" and "valid".
        """
        self._measure(datasets["train"], self.hparams.measured_utterances)
        loader = self.make_dataloader(
            datasets["train"],
            sb.Stage.TRAIN,
            **self.hparams.train_dataloader_opts,
        )
        steps = len(loader) // self.grad_accumulation_factor  # of an epoch
        self.schedule = self.hparams.lr_schedule(
            num_training_steps=steps * self.hparams.number_of_epochs
        )
        self.fit(
            self.hparams.epoch_counter,
            loader,
            datasets["valid"],
            valid_loader_kwargs=self.hparams.valid_dataloader_opts,
        )

    def compute_forward(self, batch, stage):
        """Hidden states of the distorted crop, and targets of the clean one.

        Returns
        -------
        encoding : mlkd_brain.method.lobes.Encoding
            Of the distorted crop.
        targets : torch.Tensor
            Standardised descriptors, (batch, frames, descriptors).
        """
        batch = batch.to(self.device)
        self.modules.masking.masked = batch.masked.data > 0.5
        encoding = self.modules.encoder(*batch.sig)
        frames = encoding.frame_mask.shape[1]
        targets = self.modules.descriptors(batch.clean_sig.data)
        return encoding, self.modules.scale(targets)[:, :frames]

    def compute_objectives(self, predictions, batch, stage):
        """Weighted sum of the heads' losses, ()."""
        encoding, targets = predictions
        masked, weights = (
            self.modules.masking.masked,
            self.hparams.target_weights,
        )
        losses = {
            name: head(
                # without a block: the encoder's output
                encoding.blocks[head.block - 1]
                if head.block
                else encoding.last,
                targets,
                encoding.frame_mask,
                masked,
            )
            for name, head in self.modules.heads.items()
            if weights[name]
        }
        self.terms = losses
        for name, loss in losses.items():
            self.term_sums[name] = self.term_sums.get(name, 0) + loss.detach()
        self.batches += 1
        self.samples += int((batch.sig.lengths * batch.sig.data.shape[1]).sum())
        return sum(weights[name] * loss for name, loss in losses.items())

    @torch.no_grad()
    def _measure(self, dataset, utterances):
        measured = range(min(utterances, len(dataset)))
        crops = [
            self.modules.descriptors(
                dataset[i]["clean_sig"][None].to(self.device)
            )
            for i in tqdm(measured, desc="measuring targets")
        ]
        self.modules.scale.measure(torch.cat(crops, dim=1)[0])
        targets = [self.modules.scale(crop) for crop in crops]
        for head in self.modules.heads.values():
            if hasattr(head, "measure"):
                head.measure(targets)

    def fit_batch(self, batch):
        """Sets the learning rate, which depends on the step alone."""
        rate = self.schedule.calculate_lr(self.optimizer_step + 1)
        set_learning_rate(self.optimizer, rate)
        return super().fit_batch(batch)

    def on_fit_start(self):
        """Recovers the latest checkpoint and starts the clock."""
        super().on_fit_start()
        self.first_epoch = self.hparams.epoch_counter.current
        self.started = time.monotonic()

    def on_stage_start(self, stage, epoch=None):
        """Empties the statistics, or takes up those of a resumed epoch."""
        self.term_sums, self.batches, self.samples = {}, 0, 0
        self.elapsed = 0.0
        self.resume_statistics()

    @property
    def elapsed(self) -> float:
        """Time of this stage so far, s."""
        return time.monotonic() - self.stage_started

    @elapsed.setter
    def elapsed(self, seconds):
        self.stage_started = time.monotonic() - seconds

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Logs the epoch and keeps the last checkpoint."""
        stats = {
            "loss": stage_loss,
            **{k: float(v) / self.batches for k, v in self.term_sums.items()},
        }
        if stage == sb.Stage.TRAIN:
            self.throughput = self.samples / SAMPLE_RATE / self.elapsed
            self.train_stats = stats
            return
        epochs = self.hparams.number_of_epochs
        left = seconds_left(
            time.monotonic() - self.started,
            epoch - self.first_epoch,
            epochs - epoch,
        )
        self.train_logger.log_stats(
            stats_meta={
                "epoch": epoch,
                "audio hours per hour": self.throughput,
                "time left, s": left,
            },
            train_stats=self.train_stats,
            valid_stats=stats,
        )
        self.checkpointer.save_and_keep_only(
            meta={"epoch": epoch, "loss": stage_loss}, num_to_keep=1
        )
        show_epoch(epoch, epochs, f"validation loss {stage_loss:.3f}", left)
