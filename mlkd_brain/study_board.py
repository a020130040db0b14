"""How a study goes: a live table on a terminal, lines elsewhere.

Authors
 * The MLKD team 2026
"""

import re
import statistics
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mlkd_brain.study_content import EPOCHS
from mlkd_brain.study_task import LOG, read_stamp

#: What a cell of the table shows, and its colour.
SIGNS = {
    "waiting": ("·", "dim"),
    "running": ("…", "cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
}


class Board:
    """Knows the state of every run and shows it; a context.

    Arguments
    ---------
    plan : dict
        See ``mlkd_brain.study_plan.make_plan``.
    console : rich.console.Console, optional
        Where to show it.
    """

    def __init__(self, plan, console=None):
        self.plan = plan
        self.console = console or Console()
        self.states = {
            run: "done" if step.finished else "waiting"
            for run, step in plan.items()
        }
        self.reasons, self.epochs, self.since = {}, {}, {}
        self.at_once = 1

    def __enter__(self):
        known = list(self.states.values()).count("done")
        self.say(f"{len(self.states)} runs, {known} finished before")
        self.live = Live(self.table(), console=self.console, auto_refresh=False)
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.console.is_terminal:
            self.live.update(self.table(), refresh=True)
            self.live.stop()
        for run, reason in self.reasons.items():
            if self.states[run] == "failed":
                self.say(f"failed: {run}: {reason}; see {run.folder / LOG}")
            else:
                self.say(f"skipped: {run}: {reason}")

    def say(self, words):
        """Print a line, above the table if there is one."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def ended(self, run, error=None, needs_failed=False):
        """Note that a run is finished, failed, or skipped for its needs."""
        state = "failed" if error else "done"
        if needs_failed:
            state, error = "skipped", f"needs {run.needs}"
        if error:
            self.reasons[run] = error
        self._change(run, state)

    def look(self, pending, study):
        """See which runs have begun, and their epochs."""
        for run in pending:
            stamp = read_stamp(run.folder)
            if stamp.get("study") == study and stamp["state"] == "running":
                self.epochs[run] = last_epoch(run.folder / "train_log.txt")
                self._change(run, "running")
        if self.console.is_terminal:
            self.live.update(self.table(), refresh=True)

    def stopped(self):
        """Say how to go on."""
        self.say("stopped; the same command goes on from the last checkpoints")

    def _change(self, run, state):
        if self.states[run] == state:
            return
        self.states[run] = state
        self.since.setdefault(run, time.monotonic())
        if not self.console.is_terminal:
            self.say(f"{time.strftime('%H:%M:%S')} {run} {state}; {self.sum()}")

    def sum(self):
        """The states counted, and the time left."""
        states = list(self.states.values())
        counts = [
            f"{states.count(state)} {state}"
            for state in SIGNS
            if states.count(state)
        ]
        left = self.seconds_left()
        if left:
            counts.append(f"{as_clock(left)} left")
        return ", ".join(counts)

    def seconds_left(self):
        """Estimate from the runs that have ended; None before one has."""
        ended = [r for r, state in self.states.items() if state == "done"]
        times = {
            run: seconds
            for run in ended
            if (seconds := read_stamp(run.folder).get("seconds"))
        }
        if not times:
            return None
        left = 0
        for run, state in self.states.items():
            like = [t for r, t in times.items() if r.system == run.system]
            expected = statistics.mean(like or times.values())
            if state == "waiting":
                left += expected
            elif state == "running":
                spent = time.monotonic() - self.since[run]
                left += max(0, expected - spent)
        return left / self.at_once

    def table(self):
        """Systems and seeds by folds."""
        folds = sorted({run.fold for run in self.states})
        made = Table(caption=self.sum(), title="runs by fold")
        made.add_column("system")
        for fold in folds:
            made.add_column(str(fold), justify="center")
        rows = dict.fromkeys((run.system, run.seed) for run in self.states)
        cells = {(r.system, r.seed, r.fold): r for r in self.states}
        for system, seed in rows:
            row = [cells.get((system, seed, fold)) for fold in folds]
            made.add_row(f"{system} {seed}", *map(self._cell, row))
        return made

    def _cell(self, run):
        if run is None:
            return ""
        sign, colour = SIGNS[self.states[run]]
        if self.states[run] == "running" and self.epochs.get(run):
            total = self.plan[run].content["hparams"][EPOCHS]
            sign = f"{self.epochs[run]}/{total}"
        return f"[{colour}]{sign}[/{colour}]"


def last_epoch(train_log):
    """Epochs that a training log has; 0 without one."""
    if not train_log.is_file():
        return 0
    return max(
        (int(n) for n in re.findall(r"epoch: (\d+)", train_log.read_text())),
        default=0,
    )


def as_clock(seconds):
    """Hours, minutes and seconds.

    Example
    -------
    >>> as_clock(3725.4)
    '1:02:05'
    """
    seconds = round(seconds)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
