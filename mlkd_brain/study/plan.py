"""What of a study is finished, what goes on, and what begins.

Authors
 * The MLKD team 2026
"""

import dataclasses

from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint
from mlkd_brain.study.content import BY_HAND, EPOCHS, differences
from mlkd_brain.study.task import read_stamp


@dataclasses.dataclass
class Step:
    """A run, and what is to be done about it.

    Arguments
    ---------
    run : mlkd_brain.study.definition.Run
        Of the study.
    content : dict
        See ``mlkd_brain.study.content.Contents``.
    finished : bool
        Whether nothing is to be done.
    redo : bool
        Whether what is in its folder goes.
    """

    run: object
    content: dict
    finished: bool = False
    redo: bool = False


def make_plan(runs, contents, changed="refuse"):
    """Compare the runs of a study with what their folders hold.

    Arguments
    ---------
    runs : list of mlkd_brain.study.definition.Run
        What a run depends on comes before it.
    contents : mlkd_brain.study.content.Contents
        Of the same study.
    changed : str
        What becomes of runs with another content: "refuse", "redo" or "keep";
        only those are kept whose code alone is another.

    Raises
    ------
    InputError
        If a run has another content and that is not to be redone or kept.

    Returns
    -------
    dict
        Run to ``Step``.
    """
    plan, refused = {}, []
    for run in runs:
        needed = plan[run.depends_on].content if run.depends_on else None
        step = Step(run, contents.of(run, needed))
        stamp = read_stamp(run.folder)
        other = differences(stamp["content"], step.content) if stamp else []
        if not stamp and has_checkpoint(run.folder):
            step.content["code"] = BY_HAND
        elif stamp and other == ["code"] and changed == "keep":
            step.content = stamp["content"]
        elif stamp and other and not _goes_on(stamp["content"], step, other):
            step.redo = changed == "redo"
            refused += [] if step.redo else [(run, other)]
        elif not other and stamp:
            step.content = stamp["content"]
        same = stamp.get("content") == step.content
        step.finished = same and stamp["state"] == "finished"
        plan[run] = step
    if refused:
        _refuse(refused)
    return plan


def _goes_on(then, step, other):
    """More epochs continue a run, as they do by hand.

    Unless its learning rate was on its way to zero.
    """
    before, now = then["hparams"], step.content["hparams"]
    constant = now.get("lr_warmup") is None
    return other == [EPOCHS] and now[EPOCHS] > before[EPOCHS] and constant


def _refuse(refused):
    run, other = refused[0]
    more = f" (and {len(refused) - 1} more runs)" if refused[1:] else ""
    raise InputError(
        f"{run.folder} was made with other {', '.join(other)}{more}. Give "
        "--changed redo to train anew what has changed, --changed keep to leave "
        "runs whose code alone has, or another --results_folder."
    )
