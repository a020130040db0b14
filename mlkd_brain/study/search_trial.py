"""One cell of a grid search, as Ray Tune trains it: the ordinary script.

Nothing heavy is imported: this is loaded by every trial.

Authors
 * The MLKD team 2026
"""

import contextlib
import os
import pathlib
import signal
import time

import yaml
from ray import tune

from mlkd_brain.run.epoch_clock import as_clock
from mlkd_brain.study.task import end, refuse_failure, start


class Trial(tune.Trainable):
    """Trains one run and tells Tune of every epoch.

    Between two epochs that Tune asks for, the script stands still: one that is
    stopped early has learned no more than it was compared by.
    """

    def setup(self, config, jobs):
        """Start the script, which goes on from its last checkpoint.

        Arguments
        ---------
        config : dict
            ``cell``, its name.
        jobs : dict
            Name of a cell to its job, see ``mlkd_brain.study.task.execute``,
            with ``epochs``, how many there are.
        """
        self.job = jobs[config["cell"]]
        run = self.job["run"]
        self.words, self.epoch = [run.script, *run.options], 0
        self.process = start(self.words, self.job)

    def step(self):
        """Wait for the next epoch.

        Returns
        -------
        dict
            ``epoch``, ``UA`` (the best on the validation speaker so far, in [0, 1])
            and ``done``.
        """
        self._signal(signal.SIGCONT)
        last = self.job["epochs"]
        while True:
            running = self.process.poll() is None
            found = epochs(self.job["run"].folder / "save")
            if found and max(found) > self.epoch and max(found) < last:
                break
            if not running:
                refuse_failure(self.process, self.words, self.job)
                break
            time.sleep(0.05)
        self._signal(signal.SIGSTOP)
        self.epoch = max(found)
        ua = max(found.values())
        return {"epoch": self.epoch, "UA": ua, "done": self.epoch >= last}

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def save_checkpoint(self, folder):
        """Nothing: the script keeps its own, and goes on from them."""

    def load_checkpoint(self, folder):
        """Nothing, likewise."""

    def cleanup(self):
        """End the script, finished or not."""
        end(self.process)


class Progress(tune.Callback):
    """Says a line when a trial has ended.

    Arguments
    ---------
    title : str
        Whose trials they are.
    total : int
        How many there are.
    """

    def __init__(self, title, total):
        self.title, self.total, self.ended = title, total, 0
        self.started = time.time()

    def on_trial_complete(self, iteration, trials, trial, **info):
        """Called by Tune."""
        self.ended += 1
        result = trial.last_result
        pace = (time.time() - self.started) / self.ended
        print(
            f"{self.title}: {self.ended} of {self.total}, "
            f"{as_clock(pace * (self.total - self.ended))} left; "
            f"{pathlib.Path(trial.config['cell']).parts[2]} has validation UA "
            f"{100 * result['UA']:.1f} % at epoch {result['epoch']}",
            flush=True,
        )


def epochs(save_folder):
    """Epochs whose checkpoints are there: the best and the last.

    Arguments
    ---------
    save_folder : pathlib.Path
        Of a run.

    Returns
    -------
    dict
        Epoch to UA on the validation speaker, in [0, 1].
    """
    found = {}
    for path in save_folder.glob("CKPT+*/CKPT.yaml"):
        # the run is about to delete it
        with contextlib.suppress(FileNotFoundError):
            meta = yaml.safe_load(path.read_text(encoding="utf-8"))
            found[meta["epoch"]] = meta["UA"]
    return found
