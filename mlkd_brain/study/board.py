"""The progress of a study: a live table on a terminal, lines elsewhere.

Authors
 * The MLKD team 2026
"""

import statistics
import time
from collections.abc import Iterable

from mlkd_brain.names import TRAIN_LOG
from mlkd_brain.run.epoch_clock import as_clock
from mlkd_brain.study.content import EPOCHS
from mlkd_brain.study.definition import Run, last_epoch
from mlkd_brain.study.plan import Step
from mlkd_brain.study.task import LOG, read_state
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

#: State of a run to its sign in the table, and the sign's colour.
SIGNS = {
    "waiting": ("·", "dim"),
    "running": ("…", "cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
}


class Board:
    """Keeps the state of every run and shows it; a context manager.

    Arguments
    ---------
    plan : dict
        See ``mlkd_brain.study.plan.make_plan``.
    console : rich.console.Console, optional
        Where to show it; standard output by default.
    """

    def __init__(self, plan: dict[Run, Step], console: Console | None = None):
        self.plan = plan
        self.console = console or Console()
        self.states = {
            run: "done" if step.finished else "waiting"
            for run, step in plan.items()
        }
        self.reasons: dict[Run, str] = {}  # why a run failed or was skipped
        self.epochs: dict[Run, int] = {}  # done by runs that are running
        self.since: dict[Run, float] = {}  # when a run was first seen to run
        self.max_concurrent = 1

    def __enter__(self):
        finished = list(self.states.values()).count("done")
        self._print(f"{len(self.states)} runs, {finished} finished before")
        self.live = Live(
            console=self.console,
            get_renderable=self._table,
            refresh_per_second=1,
        )
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.console.is_terminal:
            self.live.stop()
        for run, reason in self.reasons.items():
            if self.states[run] == "failed":
                reason += f"; see {run.folder / LOG}"
            self._print(f"{self.states[run]}: {run}: {reason}")

    def _print(self, line: str) -> None:
        """Print a line, above the table if there is one."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def ended(self, run: Run, error: str | None = None) -> None:
        """Note that a run has ended, with an error if it failed.

        A run whose dependency failed counts as skipped.
        """
        state = "failed" if error else "done"
        dependency = run.depends_on and self.states.get(run.depends_on)
        if dependency in ("failed", "skipped"):
            state, error = "skipped", f"depends on {run.depends_on}"
        if error:
            self.reasons[run] = error
        self._change(run, state)

    def refresh(self, pending: Iterable[Run], study: str) -> None:
        """Read from their folders which pending runs have begun.

        A run that another study trains meanwhile stays as it is here.
        """
        for run in pending:
            state = read_state(run.folder)
            if state.get("study") == study and state["state"] == "running":
                self.epochs[run] = last_epoch(run.folder / TRAIN_LOG)
                self._change(run, "running")

    def _change(self, run: Run, state: str) -> None:
        if self.states[run] == state:
            return
        self.since.setdefault(run, time.monotonic())
        self.states[run] = state
        if not self.console.is_terminal:
            now = time.strftime("%H:%M:%S")
            self._print(f"{now} {run} {state}; {self._summary()}")

    def _summary(self, signs: bool = False) -> str:
        """How many runs are in each state, and the time left."""
        states = list(self.states.values())
        parts = [
            f"{sign} " * signs + f"{states.count(state)} {state}"
            for state, (sign, _) in SIGNS.items()
            if state in states
        ]
        left = self._seconds_left()
        return ", ".join([*parts, f"{as_clock(left)} left"] if left else parts)

    def _seconds_left(self) -> float:
        """Estimate from runs that ended or have some epochs; 0 without."""
        times = {run: t for run in self.states if (t := self._duration(run))}
        left = 0.0
        for run, state in self.states.items():
            if not times or state not in ("waiting", "running"):
                continue
            alike = [t for r, t in times.items() if r.system == run.system]
            seconds = times.get(run, statistics.mean(alike or times.values()))
            left += max(0, seconds - self._spent(run))
        return left / self.max_concurrent

    def _spent(self, run: Run) -> float:
        now = time.monotonic()
        return now - self.since.get(run, now)

    def _duration(self, run: Run) -> float | None:
        """Seconds that a run took, or will take; None if unknown."""
        if self.states[run] == "done":
            return read_state(run.folder).get("seconds")
        if self.states[run] == "running" and self.epochs.get(run):
            return (
                self._spent(run)
                / self.epochs[run]
                * self._number_of_epochs(run)
            )
        return None

    def _number_of_epochs(self, run: Run) -> int:
        return self.plan[run].content["hparams"][EPOCHS]

    def _table(self) -> Group:
        """A row for each system and seed, a column for each fold."""
        folds = sorted({run.fold for run in self.states})
        table = Table("system, seed")
        for fold in folds:
            name = f"fold {fold}" if fold == folds[0] else str(fold)
            table.add_column(name, justify="center")
        runs = {(r.system, r.seed, r.fold): r for r in self.states}
        for system, seed in dict.fromkeys(key[:2] for key in runs):
            row = (runs.get((system, seed, fold)) for fold in folds)
            table.add_row(f"{system}, {seed}", *map(self._sign, row))
        return Group(table, Text(self._summary(signs=True)))

    def _sign(self, run: Run | None) -> str:
        if run is None:
            return ""
        sign, colour = SIGNS[self.states[run]]
        if self.states[run] == "running" and self.epochs.get(run):
            sign = f"{self.epochs[run]}/{self._number_of_epochs(run)}"
        return f"[{colour}]{sign}[/{colour}]"
