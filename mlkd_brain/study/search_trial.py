"""One cell of a grid search as a trial of Ray Tune: it runs the usual script.

Every trial loads this module, so it imports nothing heavy.

Authors
 * The MLKD team 2026
"""

import contextlib
import os
import pathlib
import signal
import time
from typing import Any

import yaml
from mlkd_brain.run.epoch_clock import as_clock
from mlkd_brain.study.task import kill, raise_failure, start
from ray import tune


class Trial(tune.Trainable):
    """Trains one run and reports every epoch to Tune.

    The script is stopped by a signal until Tune asks for the next epoch, so one
    that ASHA ends has learned no more than it was compared by. To end and resume
    the script instead, as Tune's own pausing or ``--number_of_epochs`` would,
    costs a start at each pause and gives other numbers: a checkpoint does not
    hold dropout's random state, and ``lr_warmup`` depends on the epochs.
    """

    def setup(self, config, jobs):
        """Start the script, which continues from its last checkpoint.

        Arguments
        ---------
        config : dict
            ``cell``, its name.
        jobs : dict
            Name of a cell to its job, see ``mlkd_brain.study.task.execute``,
            and in it ``epochs``, how many to train.
        """
        self.job = jobs[config["cell"]]
        run = self.job["run"]
        self.words, self.epoch = [run.script, *run.options], 0
        self.process = start(self.words, self.job)

    def step(self) -> dict[str, Any]:
        """Wait for the next epoch.

        Returns
        -------
        dict
            ``epoch``, ``UA`` (the best so far on the validation speaker, in
            [0, 1]) and ``done``.
        """
        self._signal(signal.SIGCONT)
        last, save = self.job["epochs"], self.job["run"].folder / "save"
        running = True
        while running:
            running = self.process.poll() is None  # before its last checkpoint
            found = checkpoints(save)
            if self.epoch < max(found, default=0) < last:
                break
            time.sleep(0.05)
        self._signal(signal.SIGSTOP)
        raise_failure(self.process, self.words, self.job)
        self.epoch = max(found)
        done = self.epoch >= last
        return {"epoch": self.epoch, "UA": max(found.values()), "done": done}

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def save_checkpoint(self, folder):
        """Nothing: the script keeps its own, and continues from them."""

    load_checkpoint = save_checkpoint

    def cleanup(self) -> None:
        """Kill the script, if it has not ended."""
        kill(self.process)


class Progress(tune.Callback):
    """Prints a line when a trial has ended; ``title`` is the searched run."""

    def __init__(self, title: str, total: int):
        self.title, self.total, self.ended = title, total, 0
        self.started = time.time()

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:
        """Called by Tune."""
        self.ended += 1
        seconds = (time.time() - self.started) / self.ended
        result, cell = trial.last_result, pathlib.Path(trial.config["cell"])
        print(
            f"{self.title}: {self.ended} of {self.total}, "
            f"{as_clock(seconds * (self.total - self.ended))} left; "
            f"{cell.parts[2]} has validation UA {100 * result['UA']:.1f} % "
            f"at epoch {result['epoch']}",
            flush=True,
        )


def checkpoints(save_folder: pathlib.Path) -> dict[int, float]:
    """Epoch and validation UA, in [0, 1], of the best and the last checkpoint."""
    found = {}
    for path in save_folder.glob("CKPT+*/CKPT.yaml"):
        # the run may delete it meanwhile
        with contextlib.suppress(FileNotFoundError):
            meta = yaml.safe_load(path.read_text(encoding="utf-8"))
            if "epoch" in meta:  # and not within one
                found[meta["epoch"]] = meta["UA"]
    return found
