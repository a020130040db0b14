"""A search's choice is used only for what it was made with."""

import json

import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.study.choice import (
    refuse_other_choices,
    searched_run,
    write_choice,
)
from mlkd_brain.study.command import read_study
from mlkd_brain.study.definition import choice_path
from mlkd_brain.study.plan import Step
from places import RECIPE

NOW = {"hparams": {"lr": 1}, "recordings": "r", "code": "c", "versions": "v"}


class Contents:
    """Of every run alike, except for what is given."""

    def __init__(self, **changes):
        self.content = {**NOW, **changes}

    def for_run(self, run, dependency=None):
        assert run.system == "student" and dependency == {"of": "teacher"}
        return self.content


@pytest.fixture
def study(tmp_path):
    words = ["--systems", "student_searched", "--folds", "2"]
    file = str(RECIPE / "hparams" / "study.yml")
    study, _ = read_study([file, *words], RECIPE)
    study.results = tmp_path
    (tmp_path / "search").mkdir()
    run = searched_run(study, 1986, 2)
    write_choice(study, run, NOW, chosen={"alpha": 0.3}, UA=0.5)
    return study


def check(study, changed="refuse", **changes):
    plan = {
        run: Step({"of": "teacher"}) if run.system == "teacher" else Step({})
        for run in study.runs()
    }
    refuse_other_choices(study, plan, Contents(**changes), changed)


def test_a_choice_of_the_same_search_is_used(study):
    check(study)
    assert dict(study.runs()[-1].overrides)["alpha"] == "0.3"


@pytest.mark.parametrize("part", ["hparams", "recordings", "code", "versions"])
def test_a_choice_that_was_made_with_something_else_is_refused(study, part):
    other = {"lr": 2} if part == "hparams" else "other"
    name = "lr" if part == "hparams" else part
    with pytest.raises(InputError, match=f"chosen with other {name}. Make it"):
        check(study, **{part: other})
    if part in ("code", "versions"):
        check(study, changed="keep", **{part: other})


def test_a_choice_from_another_grid_is_refused(study):
    study.settings["search"] = {**study.settings["search"], "grace_epochs": 99}
    with pytest.raises(InputError, match="chosen with other search"):
        check(study, changed="keep")


def test_a_choice_that_does_not_say_what_it_rests_on_is_refused(study):
    path = choice_path(study.results, 1986, 2)
    chosen = json.loads(path.read_text())
    path.write_text(json.dumps({"chosen": chosen["chosen"]}))
    with pytest.raises(InputError, match="search_objective.py.*--folds 2"):
        check(study)
