"""The grid search, on the embedded corpus, interrupted and given again."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas
import pytest
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import STOPPED
from places import RECIPE
from workplace import make_workplace

pytest.importorskip("ray")

EPOCHS = 3
GRID = {"temperature": "[1, 7]", "alpha": "[0.9]"}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, twelve_blocks):
    return make_workplace(tmp_path_factory.mktemp("search"), twelve_blocks)


@pytest.fixture(scope="module")
def searched(workplace):
    """Folder of a search that was interrupted once; what was printed."""
    text = (RECIPE / "hparams" / "study.yml").read_text()
    for key, values in GRID.items():
        line = next(x for x in text.splitlines() if f" {key}: [" in x)
        text = text.replace(line, f"        {key}: {values}")
    study = workplace.folder / "study.yml"
    study.write_text(text)
    options = {"folds": 1, "cpus_per_run": 1, "number_of_epochs": EPOCHS}
    words = [study, *workplace.words("study", options)[1:]]
    command = [sys.executable, "search_objective.py", *map(str, words)]
    with subprocess.Popen(
        command,
        cwd=RECIPE,
        env={**os.environ, **workplace.environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        cells = "search/*/*/1986/fold_1/save/CKPT+*"
        while not list(workplace.results.glob(cells)):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        printed = process.stdout.read()
    assert process.returncode == STOPPED, printed
    workplace.printed = printed + workplace.call(*command).stdout
    return workplace.results / "search"


def test_an_interrupted_search_goes_on(workplace, searched):
    assert "stopped; the same command goes on" in workplace.printed
    assert "student/1986/fold_1: 2 of 2" in workplace.printed
    assert "student/1986/fold_1: chosen {'temperature'" in workplace.printed


def test_the_grid_is_validated_whole_and_the_best_is_chosen(searched):
    grid = pandas.read_csv(searched / "grid_1986_fold_1.csv")
    assert len(grid) == 2 and grid["UA"].between(0, 1).all()
    assert grid["epochs"].between(1, EPOCHS).all()
    choice = json.loads((searched / "chosen_1986_fold_1.json").read_text())
    ran = grid[grid["epochs"] == EPOCHS]
    best = ran.loc[ran["UA"].idxmax()]
    assert choice["chosen"] == best[["temperature", "alpha"]].to_dict()
    assert (searched / "grid_1986_fold_1.png").stat().st_size > 1000


def test_no_cell_is_scored_on_the_test_speaker(searched):
    folders = list(searched.glob("*/*/1986/fold_1"))
    assert len(folders) == 2
    for folder in folders:
        assert not (folder / "predictions.csv").exists()
        table = pandas.read_csv(folder / "validation.csv")
        valid = read_manifest(folder / "valid.csv")
        test = read_manifest(folder / "test.csv")
        assert not set(valid["spk_id"]) & set(test["spk_id"])
        assert set(table["utterances"]) == {len(valid)}
