"""What a study runs, and in which order."""

import json

import pytest
import yaml
from hypothesis import (
    given,
    strategies as st,
)
from mlkd_brain.errors import InputError
from mlkd_brain.study.command import read_study
from mlkd_brain.study.definition import Study, as_word, choice_path
from places import RECIPE, REPOSITORY

STUDY = str(RECIPE / "hparams" / "study.yml")
SYSTEMS = ["teacher", "student_unsupervised", "student", "student_from_teacher"]


def study_of(*words, recipe=RECIPE):
    return read_study([STUDY, *words], recipe)[0]


SETTINGS = study_of().settings


@pytest.mark.parametrize("corpus", ["IEMOCAP", "EmoDB"])
def test_every_recipe_has_a_study_of_ten_folds(corpus):
    recipe = REPOSITORY / "recipes" / corpus / "MLKD"
    study, _ = read_study([str(recipe / "hparams" / "study.yml")], recipe)
    runs = study.runs()
    assert len(runs) == 30 and {run.fold for run in runs} == set(range(1, 11))
    assert len(set(study.settings["definitions"])) >= 5
    for name in study.settings["definitions"]:
        study.check(name)


@given(
    st.sets(st.sampled_from(SYSTEMS), min_size=1),
    st.lists(st.integers(1, 10), min_size=1, max_size=4),
    st.sets(st.integers(1986, 1990), min_size=1, max_size=2),
)
def test_what_a_run_needs_comes_once_and_before_it(systems, folds, seeds):
    asked = {"systems": list(systems), "folds": folds, "seeds": list(seeds)}
    study = Study({**SETTINGS, **asked}, RECIPE)
    runs = study.runs()
    assert len({run.folder for run in runs}) == len(runs)
    for place, run in enumerate(runs):
        assert run.depends_on is None or run.depends_on in runs[:place]
    asked = [run for run in runs if run.system in systems]
    assert len(asked) == len(systems) * len(set(folds)) * len(seeds)


def test_options_go_to_every_script_and_a_system_has_the_last_word():
    study = study_of(
        *("--folds", "2-3,7", "--systems", "student_from_teacher"),
        *("--lr", "4e-4", "--initialisation=pretrained"),
    )
    teacher, student = study.runs()[:2]
    assert [run.fold for run in study.runs()] == [2, 2, 3, 3, 7, 7]
    assert dict(teacher.overrides)["lr"] == "4e-4"
    assert dict(student.overrides)["initialisation"] == "teacher"
    assert student.depends_on == teacher
    assert student.options[0] == "hparams/student_unsupervised.yaml"
    assert "results/teacher/1986/fold_2" in student.options


def test_an_option_goes_to_the_systems_that_have_it():
    study = study_of(
        *("--folds", "1", "--systems", "teacher,vad_nmf"),
        *("--number_of_epochs", "5", "--kernel", "rbf"),
    )
    teacher, baseline = (dict(run.overrides) for run in study.runs())
    assert teacher["number_of_epochs"] == "5" and "kernel" not in teacher
    assert baseline["kernel"] == "rbf" and "number_of_epochs" not in baseline
    with pytest.raises(InputError, match="'foldd'. Did you mean 'fold'?"):
        study_of("--folds", "1", "--foldd", "3")


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(0.001, 1e6),
        st.lists(st.sampled_from(["babble", "f16"])),
    )
)
def test_a_value_survives_the_command_line(value):
    assert yaml.safe_load(as_word(value)) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--systems", "nonsense"], "Unknown system 'nonsense', expected one"),
        (["--lr"], "'--lr' is no option with a value"),
        (["--systems", "student_searched"], "python search_objective.py"),
    ],
)
def test_a_wrong_option_of_a_study_gets_one_line(words, message):
    with pytest.raises(InputError, match=message):
        study_of(*words).runs()


def test_a_study_outside_its_recipe_says_where_to_go(tmp_path):
    with pytest.raises(InputError, match="run from the recipe's folder"):
        study_of(recipe=tmp_path)
    with pytest.raises(InputError, match="nothing.yaml: no such file"):
        read_study(["nothing.yaml"])


def test_a_searched_system_takes_what_its_fold_chose(tmp_path):
    study = study_of("--systems", "student_searched", "--folds", "2")
    study.results = tmp_path
    path = choice_path(tmp_path, 1986, 2)
    path.parent.mkdir()
    chosen = {"temperature": 5, "alpha": 0.3}
    path.write_text(json.dumps({"chosen": chosen}))
    overrides = dict(study.runs()[-1].overrides)
    assert (overrides["temperature"], overrides["alpha"]) == ("5", "0.3")
