"""The baseline's scripts, run as a user runs them, on the embedded corpus."""

import contextlib
import importlib
import json
import os
from unittest import mock

import pandas
import pytest
from mlkd_brain.report import report
from mlkd_brain.report.leakage import find_problems
from mlkd_brain.study.task import read_state
from places import RECIPE
from threadpoolctl import threadpool_limits
from workplace import NOISES, TEST_UTTERANCES, make_workplace

pytest.importorskip("parselmouth", reason="the embedded corpus needs Praat")
pytest.importorskip("ray")

SYSTEMS = ["vad_nmf", "vad_nmf_matched"]
CONDITIONS = 1 + 5 * len(NOISES)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    made = make_workplace(tmp_path_factory.mktemp("baseline"), None)
    for key in ("encoder_hub", "number_of_epochs", "num_workers", "lr"):
        del made.options[key]
    return made


@pytest.fixture(scope="module")
def trained(workplace):
    """Both systems of fold 1, trained and evaluated by a study."""
    asked = {"systems": ",".join(SYSTEMS), "folds": 1, "cpus_per_run": 1}
    workplace.run("run_folds.py", "study", **asked)
    return workplace


def here(workplace, script, **options):
    """Run a script in this process, which need not import everything again.

    On one thread, as the study's runs: with more, libraries share a sum in other
    ways, and it differs in the last digits.
    """
    main = importlib.import_module(script.removesuffix(".py")).main
    where, there = contextlib.chdir(RECIPE), workplace.environment
    with where, mock.patch.dict(os.environ, there), threadpool_limits(1):
        main(workplace.words("vad_nmf", options))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_leaves_the_files_of_the_neural_systems(trained, system):
    folder = trained.of(system)
    left = {path.name for path in folder.iterdir()}
    assert left >= {
        "train_log.txt",
        "train.csv",
        "protocol.json",
        "predictions.csv",
        "noise_grid.csv",
        "complexity.json",
        "save",
    }
    assert read_state(folder)["state"] == "finished"
    table = pandas.read_csv(folder / "predictions.csv")
    assert len(table) == TEST_UTTERANCES * CONDITIONS
    assert not table.drop(columns="snr_db").isna().any(axis=None)
    (line,) = (folder / "train_log.txt").read_text().splitlines()
    assert "left-out UA: " in line and "valid UA: " in line


def test_the_report_has_both_and_finds_no_leak(trained):
    assert find_problems(trained.results) == []
    text = report(trained.results)
    for system in SYSTEMS:
        assert f"\n| {system} |" in text
    page = (trained.results / "report" / "report.md").read_text()
    assert "none in vad_nmf, vad_nmf_matched" in page


def test_the_protocol_says_what_was_learned_from_noise(trained):
    cards = {
        system: json.loads((trained.of(system) / "protocol.json").read_text())
        for system in SYSTEMS
    }
    for card in cards.values():
        assert set(card["noise_heard"]) == set(NOISES)
        for name in NOISES:
            heard, tested = (
                card["noise_ranges"][name]["train"],
                card["noise_ranges_evaluated"][name],
            )
            assert heard[1] <= tested[0]
    assert cards["vad_nmf"]["noise_heard_in"] == "its noise atoms alone"
    assert "noise_heard_in" not in cards["vad_nmf_matched"]


@pytest.mark.parametrize(
    ("system", "options"),
    [("vad_nmf", {}), ("vad_nmf_matched", {"noisy_copies": 3})],
)
def test_again_and_without_the_cache_the_numbers_are_the_same(
    trained, tmp_path, system, options
):
    options |= {"system": system, "results_folder": tmp_path}
    options["feature_cache"] = "none"
    for script in ("train_baseline.py", "evaluate.py"):
        here(trained, script, **options)
    run = tmp_path / system / "1986" / "fold_1"
    for name in ("predictions.csv", "noise_grid.csv", "train_log.txt"):
        once, again = trained.of(system) / name, run / name
        assert once.read_bytes() == again.read_bytes(), name
    assert not (tmp_path / "features").exists()


def test_a_trained_run_is_not_trained_again(trained):
    before = (trained.of("vad_nmf") / "train_log.txt").read_bytes()
    here(trained, "train_baseline.py")
    assert (trained.of("vad_nmf") / "train_log.txt").read_bytes() == before


def test_a_run_without_an_encoder_is_not_exported(trained, tmp_path):
    from mlkd_brain.errors import InputError
    from mlkd_brain.export.formats import export

    with pytest.raises(InputError, match="system vad_nmf has no encoder"):
        export(trained.of("vad_nmf"), "hf", tmp_path / "export")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "IS08"}, "features is 'IS08'; expected one of"),
        ({"kernel": "cubic"}, "kernel is 'cubic'; expected one of"),
        ({"C": "[]"}, "C is []; expected a list of numbers above 0"),
        ({"feature_cache": "ram"}, "feature_cache is 'ram'; expected one of"),
        ({"fold": 11}, "folds go from 1 to 4"),
        ({"noisy_copies": 2}, "vad_nmf/1986/fold_1 was trained with noisy_cop"),
        (
            {"noisey_copies": 2},
            "hparams/vad_nmf.yaml has no key 'noisey_copies",
        ),
    ],
)
def test_a_wrong_option_gets_one_line(trained, options, message):
    said = trained.refused("train_baseline.py", "vad_nmf", **options)
    assert message in said and said.count("\n") == 1


def test_an_untrained_baseline_is_told_how_to_make_it(trained):
    said = trained.refused("evaluate.py", "vad_nmf", fold=2)
    assert "python train_baseline.py hparams/vad_nmf.yaml --fold 2" in said
