"""What a search chose for a fold, and what it was chosen with.

Authors
 * The MLKD team 2026
"""

import json
import pathlib
from typing import Any

from mlkd_brain.errors import InputError
from mlkd_brain.files import write_json
from mlkd_brain.study.content import StudyContent, differences, keeps
from mlkd_brain.study.definition import Run, Study, choice_path
from mlkd_brain.study.plan import Step


def searched_run(study: Study, seed: int, fold: int) -> Run:
    """The run of a study that its search varies, as it is without a search."""
    system = study.settings["search"]["system"]
    depends_on = study.settings["definitions"][system].get("depends_on")
    teacher = study.run(depends_on, seed, fold) if depends_on else None
    return study.run(system, seed, fold, teacher)


def write_choice(
    study: Study, run: Run, content: dict[str, Any], **facts: Any
) -> None:
    """Write what was chosen, beside what it depends on.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``search`` has the grid.
    run : mlkd_brain.study.definition.Run
        The searched one.
    content : dict
        Of that run.
    **facts
        ``chosen``, and how.
    """
    made_with = {"search": study.settings["search"], "run": content}
    path = choice_path(study.results, run.seed, run.fold)
    write_json({**facts, "made_with": made_with}, path)


def refuse_other_choices(
    study: Study, plan: dict[Run, Step], contents: StudyContent, changed: str
) -> None:
    """Refuse values that were chosen with other settings, data or code.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        What to run.
    plan : dict
        Its runs; those of systems that are ``searched`` are checked.
    contents : mlkd_brain.study.content.StudyContent
        Of the same study.
    changed : str
        "keep" accepts a choice that differs in its code alone.

    Raises
    ------
    InputError
        Naming the choice and what differs.
    """
    definitions = study.settings["definitions"]
    for run in plan:
        if not definitions[run.system].get("searched"):
            continue
        searched = searched_run(study, run.seed, run.fold)
        teacher = searched.depends_on
        content = contents.for_run(
            searched, plan[teacher].content if teacher else None
        )
        path = choice_path(study.results, run.seed, run.fold)
        other = _other(path, study.settings["search"], content)
        if other and not keeps(other, changed):
            raise InputError(
                f"{path}: was chosen with other {', '.join(other)}. Make it "
                "again with `python search_objective.py`, the yaml of this "
                f"study and `--folds {run.fold} --seeds {run.seed}`; --changed "
                "keep takes a choice that differs in its code alone."
            )


def _other(path: pathlib.Path, search: dict, content: dict) -> list[str]:
    chosen = json.loads(path.read_text(encoding="utf-8"))
    before = chosen.get("made_with")
    if before is None:
        return ["settings, data or code (it does not say which)"]
    other = [] if before["search"] == _plain(search) else ["search"]
    return other + differences(before["run"], _plain(content))


def _plain(facts: Any) -> Any:
    """As json gives it back."""
    return json.loads(json.dumps(facts))
