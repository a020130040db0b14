"""Where the numbers of a training go: a text file, and a tracker with curves.

Authors
 * The MLKD team 2026
"""

import math
import pathlib
from collections.abc import Callable
from typing import Any

import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.optional import require

from speechbrain.utils.distributed import main_process_only
from speechbrain.utils.train_logger import FileTrainLogger

PROJECT = "mlkd"  # for W&B and MLflow, which keep several


class TrackedTrainLogger(FileTrainLogger):
    """SpeechBrain's text log of a training, whose numbers a tracker gets too.

    The tracker is started with the first epoch that is logged; a yaml that is
    read for something else starts none. An epoch that is trained again, after
    a resume, replaces the former one.

    Arguments
    ---------
    save_file : str
        The text log.
    tracker : str
        "tensorboard", "wandb", "mlflow" or "none".
    folder : str
        Of the run; the tracker's own files go to ``folder/<tracker>``.
    precision : int
        Decimal places in the text.

    Raises
    ------
    InputError
        If the tracker is unknown, or its package is not installed.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> log = TrackedTrainLogger(folder / "train_log.txt", "none", folder)
    >>> log.log_stats({"epoch": 1}, {"loss": 0.5}, {"UA": 0.75}, verbose=False)
    >>> log.log_stats({"epoch": 2}, {"loss": 0.25}, {"UA": 0.5}, verbose=False)
    >>> print((folder / "train_log.txt").read_text().splitlines()[0])
    epoch: 1 - train loss: 5.00e-01 - valid UA: 7.50e-01
    """

    def __init__(
        self,
        save_file: str,
        tracker: str,
        folder: str | pathlib.Path,
        precision: int = 2,
    ):
        super().__init__(save_file, precision)
        if tracker not in TRACKERS:
            raise InputError(
                f"Bad value '{tracker}' for tracker, expected one of "
                f"{', '.join(TRACKERS)}."
            )
        if tracker != "none":
            require(tracker)
        self.kind, self.folder = tracker, pathlib.Path(folder)
        self.tracker: Any = None

    @main_process_only
    def log_stats(
        self,
        stats_meta: dict,
        train_stats: dict | None = None,
        valid_stats: dict | None = None,
        test_stats: dict | None = None,
        verbose: bool = True,
    ) -> None:
        """Log an epoch; see ``speechbrain.utils.train_logger.TrainLogger``."""
        parts = (train_stats, valid_stats, test_stats)
        super().log_stats(stats_meta, *parts, verbose=verbose)
        if "epoch" in stats_meta:  # a baseline has none, nor curves
            epoch = stats_meta["epoch"]
            groups = dict(zip(("train", "valid", "test"), parts))
            named = numbers({"run": stats_meta, **groups})
            self._started(epoch).log_numbers(named, epoch)

    @main_process_only
    def log_audio(self, name: str, wav: torch.Tensor, epoch: int) -> None:
        """Give the tracker a waveform to play, (time,), 16 kHz."""
        self._started(epoch).log_audio(name, wav.cpu(), epoch)

    def _started(self, epoch):
        if self.tracker is None:
            self.tracker = TRACKERS[self.kind](self.folder, epoch)
        return self.tracker


def numbers(groups: dict[str, dict | None]) -> dict[str, float]:
    """The finite numbers of some groups, by ``group/name``.

    Example
    -------
    >>> numbers(
    ...     {"run": {"epoch": 1, "time left": "0:10"}, "valid": {"UA": 0.5}}
    ... )
    {'run/epoch': 1, 'valid/UA': 0.5}
    """
    return {
        f"{group}/{name}": value
        for group, stats in groups.items()
        for name, value in (stats or {}).items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


class NoTracker:
    """Drops everything."""

    def __init__(self, folder: pathlib.Path, epoch: int):
        pass

    def log_numbers(self, named: dict[str, float], epoch: int) -> None:
        """Numbers of an epoch, by name."""

    def log_audio(self, name: str, wav: torch.Tensor, epoch: int) -> None:
        """A waveform, (time,), 16 kHz."""


class TensorBoard(NoTracker):
    """Event files; ``tensorboard --logdir results`` shows those of all runs."""

    def __init__(self, folder: pathlib.Path, epoch: int):
        from torch.utils.tensorboard import SummaryWriter

        # events of this epoch and later ones are of a training that ended there
        self.writer = SummaryWriter(folder / "tensorboard", purge_step=epoch)

    def log_numbers(self, named, epoch):
        """See ``NoTracker``."""
        for name, value in named.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()  # a run that is killed has its curves

    def log_audio(self, name, wav, epoch):
        """See ``NoTracker``."""
        self.writer.add_audio(name, wav, epoch, sample_rate=SAMPLE_RATE)


class WeightsAndBiases(NoTracker):
    """Where and whether it sends is for wandb's own settings, e.g. WANDB_MODE."""

    def __init__(self, folder: pathlib.Path, epoch: int):
        import wandb

        self.wandb = wandb
        folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            project=PROJECT,
            name="/".join(folder.parts[-3:]),
            id="-".join(folder.parts[-3:]),  # a resumed run goes on in its own
            resume="allow",
            dir=folder,
        )

    def log_numbers(self, named, epoch):
        """See ``NoTracker``."""
        self.run.log(named, step=epoch)

    def log_audio(self, name, wav, epoch):
        """See ``NoTracker``."""
        sound = self.wandb.Audio(wav.numpy(), sample_rate=SAMPLE_RATE)
        self.run.log({name: sound}, step=epoch)


class MLflow(NoTracker):
    """Goes where MLFLOW_TRACKING_URI says, by default MLflow's own place."""

    def __init__(self, folder: pathlib.Path, epoch: int):
        import mlflow

        self.mlflow, self.folder = mlflow, folder / "mlflow"
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.folder / "run_id.txt"  # a resumed run goes on in its own
        mlflow.set_experiment(PROJECT)
        run = mlflow.start_run(
            run_id=known.read_text() if known.is_file() else None,
            run_name="/".join(folder.parts[-3:]),
        )
        known.write_text(run.info.run_id)

    def log_numbers(self, named, epoch):
        """See ``NoTracker``."""
        self.mlflow.log_metrics(named, step=epoch)

    def log_audio(self, name, wav, epoch):
        """See ``NoTracker``."""
        path = self.folder / f"{name.replace('/', '_')}.wav"
        soundfile.write(path, wav.numpy(), SAMPLE_RATE)
        self.mlflow.log_artifact(path, "audio")


TRACKERS: dict[str, Callable[[pathlib.Path, int], NoTracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
    "none": NoTracker,
}
