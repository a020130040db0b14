"""UA where a test speaker lacks a label: defined, and said beneath the tables."""

import json

import pandas
import pytest
from mlkd_brain.evaluation.noise_grid import noise_grid
from mlkd_brain.report import report

COLUMNS = ["ID", "spk_id", "noise", "snr_db", "emo", "predicted"]


def predictions():
    """A speaker with joy and rage alone, in a model that knows fear, too."""
    decisions = [
        ("joy", "joy"),
        ("joy", "fear"),
        ("joy", "joy"),
        ("joy", "joy"),
        ("rage", "rage"),
        ("rage", "fear"),
    ]
    rows = [
        (f"u{i}", "anna", noise, snr, *pair)
        for noise, snr in (("clean", None), ("hiss", 0))
        for i, pair in enumerate(decisions)
    ]
    return pandas.DataFrame(rows, columns=COLUMNS)


def test_ua_is_the_mean_recall_of_the_labels_that_occur():
    grid = noise_grid(predictions())
    # recalls 3/4 and 1/2; fear, which is predicted and never true, has none
    assert grid["ua"].tolist() == pytest.approx([0.625, 0.625])


def test_the_tables_say_which_fold_lacks_a_label(tmp_path):
    folder = tmp_path / "student" / "1986" / "fold_2"
    folder.mkdir(parents=True)
    table = predictions()
    for place, item in enumerate(
        {"system": "student", "seed": 1986, "fold": 2}.items()
    ):
        table.insert(place, *item)
    for label in ("fear", "joy", "rage"):
        table[f"p_{label}"] = 1 / 3
    table.to_csv(folder / "predictions.csv", index=False)
    protocol = {
        "system": "student",
        "seed": 1986,
        "fold": 2,
        "weighting": "none",
        "snrs_db": [0],
        "noise_evaluated": {"hiss": "x"},
        "speakers": {"train": ["cleo"], "valid": ["ben"], "test": ["anna"]},
        "missing_labels": {"valid": ["joy"], "test": ["fear"]},
    }
    (folder / "protocol.json").write_text(json.dumps(protocol))
    text = report(tmp_path)
    assert "62.5" in text
    assert "no test utterance of fear in fold 2: UA of such a fold" in text
    protocol.pop("missing_labels")  # as in earlier archives
    (folder / "protocol.json").write_text(json.dumps(protocol))
    assert "no test utterance" not in report(tmp_path)
