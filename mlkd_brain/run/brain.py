"""A Brain that can be killed at any moment and ends as if it had not been.

Authors
 * The MLKD team 2026
"""

from typing import Any

import torch
from mlkd_brain.errors import STOPPED
from mlkd_brain.run.epoch_progress import EpochProgress
from mlkd_brain.run.nonfinite import stop_nonfinite
from mlkd_brain.run.processes import rank_and_size
from mlkd_brain.run.step_seed import seed_step
from mlkd_brain.run.termination import Termination, live_with_main

import speechbrain as sb
from speechbrain.utils.distributed import is_distributed_initialized
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)


class ResumableBrain(sb.Brain):
    """An ``sb.Brain`` whose resumed run is the run that was never interrupted.

    A step depends on weights, seed, epoch and number alone; a checkpoint within
    an epoch (SpeechBrain's ``ckpt_interval_minutes``) has the epoch's statistics,
    each checkpoint the log, and none is written between the batches of one step.
    SIGTERM has one written and ends with ``STOPPED``. A loss that is not finite
    ends the run at once.

    Hparams: ``seed``, ``epoch_counter``; ``output_folder`` for what gave a loss
    that is not finite; the ``train_noise`` and ``valid_noise`` of a student are
    named with it. Subclasses list in ``statistics`` the attributes that an
    epoch's line in the log is made from: tensors, numbers, lists and dicts; they
    set ``terms``, the named terms of the loss, and call ``resume_statistics`` at
    the end of ``on_stage_start``.

    Arguments
    ---------
    *args, **kwargs
        Passed to ``sb.Brain``.
    train_logger : speechbrain.utils.train_logger.TrainLogger, optional
        Gets a line an epoch.
    """

    statistics: tuple[str, ...] = ()

    def __init__(self, *args, train_logger: Any = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.train_logger = train_logger
        self.termination = Termination()
        self.terms: dict[str, Any] = {}
        self.progress = EpochProgress(self)
        if self.checkpointer is not None:
            # checkpoints of earlier versions have none
            self.checkpointer.add_recoverable(
                "progress", self.progress, optional_load=True
            )

    def fit(self, *args, **kwargs) -> None:
        """Train as ``sb.Brain`` does; SIGTERM waits for the end of a step."""
        with self.termination:
            super().fit(*args, **kwargs)

    def on_fit_start(self) -> None:
        """Recovers the latest checkpoint; the disk must hold those to come."""
        super().on_fit_start()
        if self.checkpointer is not None:
            self.checkpointer.require_space(self.modules.parameters())

    def make_dataloader(self, *args, **kwargs):
        """A loader whose workers end with this process, and not by SIGTERM."""
        kwargs.setdefault("worker_init_fn", live_with_main)
        return super().make_dataloader(*args, **kwargs)

    def resume_statistics(self) -> None:
        """Put back the statistics of an epoch that was interrupted."""
        for name, value in self.progress.recovered.items():
            setattr(self, name, value)
        self.progress.recovered = {}

    def fit_batch(self, batch) -> torch.Tensor:
        """A step, whose dropout depends on seed, epoch and step alone."""
        self.batch = batch
        epoch = self.hparams.epoch_counter.current
        seed_step(self.hparams.seed, epoch, self.step, rank_and_size()[0])
        return super().fit_batch(batch)

    def check_loss_isfinite(self, loss) -> None:
        """End the run, whatever ``nonfinite_patience`` says.

        The weights of the step after would not be finite either.
        """
        if not torch.isfinite(loss):
            self._stop_nonfinite("train", self.batch)

    def evaluate_batch(self, batch, stage) -> torch.Tensor:
        """Loss of a batch of the validation, which must be finite too."""
        loss = super().evaluate_batch(batch, stage)
        if not torch.isfinite(loss):
            self._stop_nonfinite("valid", batch)
        return loss

    def _stop_nonfinite(self, stage, batch):
        hparams = vars(self.hparams)
        where = {
            "stage": stage,
            "epoch": self.hparams.epoch_counter.current,
            "step": self.step,
            "seed": self.hparams.seed,
        }
        samplers = {s: hparams.get(f"{s}_noise") for s in ("train", "valid")}
        folder = hparams.get("output_folder", ".")
        stop_nonfinite(folder, where, self.terms, batch, self.modules, samplers)

    def _should_save_intra_epoch_ckpt(self, last_ckpt_time, steps_since_ckpt):
        """Whether to save now: only when the last batch ended a step."""
        if self.step % self.grad_accumulation_factor:
            return False  # the checkpoint would lack the gradients so far
        requested = self.termination.requested
        return super()._should_save_intra_epoch_ckpt(
            0.0 if requested else last_ckpt_time, steps_since_ckpt
        ) or (requested and not is_distributed_initialized())

    def _save_intra_epoch_ckpt(self):
        """Save; after SIGTERM also end, for a scheduler to start us again."""
        super()._save_intra_epoch_ckpt()
        if self.termination.requested:
            logger.info("SIGTERM: saved; the same command goes on from here.")
            raise SystemExit(STOPPED)
