"""Which runs of a study are finished, continue, or start anew.

Authors
 * The MLKD team 2026
"""

import dataclasses

from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint
from mlkd_brain.study.content import (
    BY_HAND,
    EPOCHS,
    StudyContent,
    differences,
    keeps,
)
from mlkd_brain.study.definition import Run
from mlkd_brain.study.task import read_state


@dataclasses.dataclass
class Step:
    """What is to be done about a run."""

    content: dict  #: see ``mlkd_brain.study.content.StudyContent``
    finished: bool = False  #: whether nothing is left to do
    redo: bool = False  #: whether its folder is deleted first


def make_plan(
    runs: list[Run], contents: StudyContent, changed: str = "refuse"
) -> dict[Run, Step]:
    """Compare the runs of a study with what their folders hold.

    Arguments
    ---------
    runs : list of mlkd_brain.study.definition.Run
        Each after the run that it depends on.
    contents : mlkd_brain.study.content.StudyContent
        Of the same study.
    changed : str
        What to do with runs of another content: "refuse", "redo" or "keep",
        which keeps those that differ in their code and libraries alone.

    Raises
    ------
    InputError
        If a run has another content and is neither redone nor kept.
    """
    plan: dict[Run, Step] = {}
    refused = []
    for run in runs:
        dependency = plan[run.depends_on].content if run.depends_on else None
        step = plan[run] = Step(contents.for_run(run, dependency))
        state = read_state(run.folder)
        if not state:
            if has_checkpoint(run.folder):
                step.content["code"] = BY_HAND
            continue
        other = differences(state["content"], step.content)
        if not other or keeps(other, changed):
            step.content = state["content"]
            step.finished = state["state"] == "finished"
        elif not _can_continue(state["content"], step.content, other):
            step.redo = changed == "redo"
            refused += [] if step.redo else [(run, other)]
    if refused:
        _refuse(refused)
    return plan


def _can_continue(before: dict, now: dict, other: list[str]) -> bool:
    """Whether a run only gets more epochs, at a constant learning rate."""
    old, new = before["hparams"], now["hparams"]
    shape = new.get("lr_schedule") or "constant"
    constant = new.get("lr_warmup") is None and shape == "constant"
    return other == [EPOCHS] and new[EPOCHS] > old[EPOCHS] and constant


def _refuse(refused: list[tuple[Run, list[str]]]) -> None:
    run, other = refused[0]
    more = f" (and {len(refused) - 1} more runs)" if refused[1:] else ""
    raise InputError(
        f"{run.folder} was made with other {', '.join(other)}{more}. Give "
        "--changed redo to train those runs again, --changed keep to leave "
        "runs that differ in code or versions alone, or another "
        "--results_folder."
    )
