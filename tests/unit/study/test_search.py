"""Which grids a search takes."""

import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.study.command import read_study
from mlkd_brain.study.search import refuse_bad_grid
from places import RECIPE, REPOSITORY

GRID = {"temperature": [1, 7], "alpha": [0.9]}


def study_with(**search):
    study, _ = read_study([str(RECIPE / "hparams" / "study.yml")], RECIPE)
    study.settings["search"] = {"system": "student", "grid": GRID, **search}
    return study


@pytest.mark.parametrize(
    "study",
    ["IEMOCAP/MLKD/study", "EmoDB/MLKD/study", "EmoDB/MLKD/study_embedded"],
)
def test_the_searches_of_the_recipes_are_accepted(study):
    folder, name = (REPOSITORY / "recipes" / study).parent, study.split("/")[-1]
    refuse_bad_grid(
        read_study([str(folder / f"hparams/{name}.yml")], folder)[0]
    )


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"system": "studnt"}, "Unknown system 'studnt', expected one of"),
        ({"grid": {"alpha": [0.9]}}, "grid of alpha; give two keys"),
        (
            {"grid": {"warmth": [1], "alpha": [0.9]}},
            "hparams/student.yaml has no warmth; give two keys",
        ),
        (
            {"grid": {**GRID, "alpha": []}},
            r"alpha: \[\]; give a list of numbers",
        ),
        (
            {"grid": {**GRID, "alpha": 0.9}},
            "alpha: 0.9; give a list of numbers",
        ),
        (
            {"grid": {**GRID, "initialisation": ["teacher"]}},
            "grid of temperature, alpha, initialisation; give two",
        ),
        (
            {"grid": {"alpha": [0.9], "initialisation": ["teacher"]}},
            "initialisation: .*; give a list of numbers",
        ),
    ],
)
def test_a_search_that_could_not_end_is_refused_before_it_begins(
    search, message
):
    with pytest.raises(InputError, match=message):
        refuse_bad_grid(study_with(**search))
