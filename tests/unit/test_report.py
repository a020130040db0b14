"""Tables that follow from predictions alone, and say what they rest on."""

import json
import shutil

import numpy as np
import pandas
import pytest
import soundfile
import torch

from mlkd_brain.audio import read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation import noise_grid as evaluation
from mlkd_brain.evaluation.noise_grid import NoiseGrid, noise_grid
from mlkd_brain.markdown import write_into
from mlkd_brain.method.lobes import EmotionClassifier, SpeechEncoder
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import speech_level
from mlkd_brain.report import read_predictions, report
from mlkd_brain.report.command import main

EMOTIONS = ["ang", "hap", "neu", "sad"]
CARD = {
    "weighting": "g712",
    "system": "student",
    "noise_heard": {"volvo": "x"},
    "noise_evaluated": {"volvo": "x", "factory1": "y"},
}


def predictions(system, fold, hits):
    """Four utterances in three conditions, ``hits`` of them right in each."""
    rows = []
    for noise, snr in (("clean", None), ("volvo", 0), ("factory1", 0)):
        for number, emotion in enumerate(EMOTIONS):
            right = number < hits
            rows.append(
                {
                    "system": system,
                    "seed": 1986,
                    "fold": fold,
                    "ID": f"speaker{fold}_{emotion}",
                    "spk_id": f"speaker{fold}",
                    "noise": noise,
                    "snr_db": snr,
                    "emo": emotion,
                    "predicted": emotion if right else EMOTIONS[number - 1],
                }
            )
    return pandas.DataFrame(rows)


def write_run(results, system, fold, hits):
    folder = results / system / "1986" / f"fold_{fold}"
    folder.mkdir(parents=True)
    table = predictions(system, fold, hits)
    table.to_csv(folder / "predictions.csv", index=False)
    card = {**CARD, "system": system}
    if system == "teacher":
        card.pop("noise_heard")
    (folder / "protocol.json").write_text(json.dumps(card))
    return folder


@pytest.fixture()
def results(tmp_path):
    write_run(tmp_path, "teacher", 1, hits=4)
    write_run(tmp_path, "student", 1, hits=3)
    write_run(tmp_path, "student", 2, hits=1)
    return tmp_path


def test_ua_is_pooled_with_its_spread_over_folds(results):
    # recalls over two folds: ang 1, hap 1/2, neu 1/2, sad 0; folds 75 and 25
    text = report(results)
    assert "| 50.0 ± 35.4 | 50.0 ± 35.4 |" in text
    assert "standard deviation over" in text


def test_a_system_with_other_folds_says_which(results):
    text = report(results)
    assert "| teacher (fold 1) | 100.0 | 100.0 |" in text
    assert "| student | 50.0" in text
    assert "2 of 10 folds (1, 2)" in text and "8 utterances" in text
    assert text.index("| teacher") < text.index("| student")


def test_some_folds_alone(results):
    text = report(results, folds=[2])
    assert "1 of 10 folds (2)" in text and "| student | 25.0 | 25.0 |" in text
    assert "teacher" not in text.split("- SNR")[0]


def test_a_noise_that_was_not_heard_is_marked_for_the_student_alone(results):
    student = report(results).split("**student, UA by noise**")[1]
    assert "| factory1 (unseen) |" in student and "| volvo |" in student
    teacher = report(results).split("**teacher, UA by noise**")[1]
    assert "(unseen)" not in teacher.split("**student")[0]


def test_recordings_are_told_apart_by_content_and_not_by_name(results):
    for fold in (1, 2):
        path = results / "student" / "1986" / f"fold_{fold}" / "protocol.json"
        card = json.loads(path.read_text())
        card["noise_evaluated"] = {"volvo": "another", "factory1": "x"}
        path.write_text(json.dumps(card))
    student = report(results).split("**student, UA by noise**")[1]
    assert "| volvo (unseen) |" in student and "| factory1 |" in student


def test_the_headings_say_what_was_not_heard_and_wa_stands_beside_ua(results):
    text = report(results, brief=True)
    assert "**UA, 2 noises pooled (factory1 unseen by student)**" in text
    assert "**WA, 2 noises pooled" in text and "| WA % | 0 dB | clean |" in text
    assert "**UA, factory1 (factory1 unseen by student)**" in text
    assert "by noise" not in text


def test_systems_with_other_snrs_and_noises_share_a_report(results):
    folder = write_run(results, "student_other", 1, hits=4)
    table = pandas.read_csv(folder / "predictions.csv")
    table["snr_db"] = table["snr_db"].replace(0, -5)
    table["noise"] = table["noise"].replace("factory1", "kettle")
    table.to_csv(folder / "predictions.csv", index=False)
    text = report(results)
    assert (
        "1 noises pooled" in text and "| UA % | -5 dB | 0 dB | clean |" in text
    )
    assert "| student_other (fold 1) | 100.0 | – | 100.0 |" in text


def test_table_2_has_a_true_mean(results):
    shutil.rmtree(results / "student")
    folder = write_run(results, "student", 1, hits=3)
    table = pandas.read_csv(folder / "predictions.csv")
    factory = table["noise"] == "factory1"
    table.loc[factory, "predicted"] = "ang"
    table.to_csv(folder / "predictions.csv", index=False)
    student = report(results).split("**student, UA by noise**")[1]
    assert "| volvo | 75.0 | 75.0 |" in student
    assert "| factory1 (unseen) | 25.0 | 25.0 |" in student
    assert "| mean | 50.0 | 50.0 |" in student


def test_another_evaluation_has_its_own_report(results):
    folder = results / "student" / "1986" / "fold_1" / "weighting_none"
    folder.mkdir()
    predictions("student", 1, 0).to_csv(folder / "predictions.csv", index=False)
    card = {**CARD, "weighting": "none"}
    (folder / "protocol.json").write_text(json.dumps(card))
    text = report(results, "weighting_none")
    assert "SNR weighting: none" in text and "| student | 0.0 | 0.0 |" in text
    assert "SNR weighting: g712" in report(results)


def test_no_predictions_is_said(tmp_path):
    with pytest.raises(InputError, match="run evaluate.py first"):
        read_predictions(tmp_path)


def test_the_table_replaces_what_stands_between_its_markers(results, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n")
    main([str(results), "--into", str(page), "--marker", "x"])
    once = page.read_text()
    assert "\nold\n" not in once and "| student" in once
    assert once.startswith("a\n") and once.endswith("<!-- end x -->\nb\n")
    main([str(results), "--into", str(page), "--marker", "x"])
    assert page.read_text() == once
    with pytest.raises(InputError, match="begin y"):
        write_into(page, "y", "text")


# ------------------------------------------------------------- noise grid


@pytest.fixture(scope="module")
def material(tmp_path_factory, tiny_wav2vec2):
    folder = tmp_path_factory.mktemp("material")
    random = np.random.default_rng(0)
    rows = []
    for number, samples in enumerate((9000, 16000, 12001, 20000, 8001)):
        path = folder / f"u{number}.wav"
        soundfile.write(path, random.uniform(-0.3, 0.3, samples), 16000)
        level = speech_level(read_mono(path).numpy(), "none")
        rows.append(
            {
                "ID": f"u{number}",
                "wav": f"$data_root/u{number}.wav",
                "spk_id": "s",
                "duration": samples / 16000,
                "emo": EMOTIONS[number % 4],
                "level_none": level,
            }
        )
    (folder / "noise").mkdir()
    for name in ("hum", "hiss"):
        noise = random.uniform(-0.2, 0.2, 80000)
        soundfile.write(folder / "noise" / f"{name}.wav", noise, 16000)
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(folder / "noise", folder / "cache", shares=shares)
    bank.prepare()
    torch.manual_seed(0)
    model = EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 4)
    return model, pandas.DataFrame(rows), folder, bank


def grid(bank, batch_size):
    return NoiseGrid(bank, [0, 10], "none", EMOTIONS, batch_size)


def test_the_batch_size_changes_no_prediction(material):
    model, manifest, folder, bank = material
    alone, together = (
        grid(bank, size).predict(model, manifest, folder) for size in (1, 5)
    )
    names = [f"p_{emotion}" for emotion in EMOTIONS]
    assert np.allclose(alone[names], together[names], atol=1e-5)
    assert alone.drop(columns=names).equals(together.drop(columns=names))
    assert len(alone) == 5 * (1 + 2 * 2)


def test_every_recording_is_read_once(material, monkeypatch):
    model, manifest, folder, bank = material
    read = []
    monkeypatch.setattr(
        evaluation,
        "read_mono",
        lambda path: read.append(path) or read_mono(path),
    )
    grid(bank, 2).predict(model, manifest, folder)
    assert sorted(read) == [f"{folder}/u{number}.wav" for number in range(5)]


def test_the_grid_counts_utterances_and_accuracy():
    table = predictions("student", 1, hits=3)
    computed = noise_grid(table).set_index("noise")
    assert computed.index.tolist() == ["clean", "volvo", "factory1"]
    assert computed.loc["volvo", "utterances"] == 4
    assert computed["ua"].tolist() == [0.75] * 3
