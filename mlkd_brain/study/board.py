"""How a study goes: a live table on a terminal, lines elsewhere.

Authors
 * The MLKD team 2026
"""

import statistics
import time

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mlkd_brain.run.epoch_clock import as_clock
from mlkd_brain.study.content import EPOCHS
from mlkd_brain.study.definition import last_epoch
from mlkd_brain.study.task import LOG, read_stamp

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
        See ``mlkd_brain.study.plan.make_plan``.
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
        self.max_concurrent = 1

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

    def ended(self, run, error=None, dependency_failed=False):
        """Note that a run is finished, failed, or skipped for its dependency."""
        state = "failed" if error else "done"
        if dependency_failed:
            state, error = "skipped", f"depends on {run.depends_on}"
        if error:
            self.reasons[run] = error
        self._change(run, state)

    def refresh(self, pending, study):
        """See which runs have begun, and their epochs."""
        for run in pending:
            stamp = read_stamp(run.folder)
            if stamp.get("study") == study and stamp["state"] == "running":
                self.epochs[run] = last_epoch(run.folder / "train_log.txt")
                self._change(run, "running")
        if self.console.is_terminal:
            self.live.update(self.table(), refresh=True)

    def _change(self, run, state):
        if self.states[run] == state:
            return
        self.states[run] = state
        self.since.setdefault(run, time.monotonic())
        if not self.console.is_terminal:
            self.say(f"{time.strftime('%H:%M:%S')} {run} {state}; {self.sum()}")

    def sum(self, legend=False):
        """The states counted, and the time left; with the table's signs."""
        states = list(self.states.values())
        counts = [
            f"{sign} {states.count(state)} {state}"[0 if legend else 2 :]
            for state, (sign, _) in SIGNS.items()
            if state in states
        ]
        left = self.seconds_left()
        if left:
            counts.append(f"{as_clock(left)} left")
        return ", ".join(counts)

    def seconds_left(self):
        """Estimate from runs that ended or are some epochs old; or None."""
        times = {run: t for run in self.states if (t := self._duration(run))}
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
                left += max(0, times.get(run, expected) - spent)
        return left / self.max_concurrent

    def _duration(self, run):
        """Seconds that a run took, or will take by its pace; None unknown."""
        if self.states[run] == "done":
            return read_stamp(run.folder).get("seconds")
        if self.states[run] == "running" and self.epochs.get(run):
            spent = time.monotonic() - self.since[run]
            return spent / self.epochs[run] * self._total(run)
        return None

    def _total(self, run):
        return self.plan[run].content["hparams"][EPOCHS]

    def table(self):
        """Systems and seeds by folds."""
        folds = sorted({run.fold for run in self.states})
        made = Table("system, seed")
        for fold in folds:
            made.add_column(
                f"fold {fold}" if fold == folds[0] else str(fold),
                justify="center",
            )
        rows = dict.fromkeys((run.system, run.seed) for run in self.states)
        cells = {(r.system, r.seed, r.fold): r for r in self.states}
        for system, seed in rows:
            row = [cells.get((system, seed, fold)) for fold in folds]
            made.add_row(f"{system}, {seed}", *map(self._cell, row))
        return Group(made, Text(self.sum(legend=True)))

    def _cell(self, run):
        if run is None:
            return ""
        sign, colour = SIGNS[self.states[run]]
        if self.states[run] == "running" and self.epochs.get(run):
            sign = f"{self.epochs[run]}/{self._total(run)}"
        return f"[{colour}]{sign}[/{colour}]"
