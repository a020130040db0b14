"""Linear probes: the block is chosen without the test speaker."""

import itertools

import numpy as np
import pandas
import pytest
import soundfile
from fabricated_study import FabricatedStudy
from mlkd_brain.data.manifests import write_manifests
from mlkd_brain.errors import InputError
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.pretraining.command import main
from mlkd_brain.pretraining.probe import (
    fine_tuned,
    pooled_states,
    probe,
    probe_rows,
    probe_table,
)
from mlkd_brain.report.results import read_predictions
from mlkd_brain.report.statistics import accuracy

EMOTIONS = np.array(["ang", "sad"] * 12)
SPEAKERS = np.repeat(["a", "b", "c", "d"], 6)


def features():
    """Two blocks of noise, the second of which shows the emotion."""
    random = np.random.default_rng(1)
    blind, seeing = random.standard_normal((2, len(EMOTIONS), 5))
    seeing[:, 0] += 9 * (EMOTIONS == "sad")
    return {"block 1": blind, "block 2": seeing}


def test_the_block_that_shows_the_emotion_is_chosen():
    predicted, chosen = probe(features(), EMOTIONS, SPEAKERS)
    assert chosen == ["block 2"] * 4
    assert (predicted == EMOTIONS).all()


def test_what_a_test_speaker_feels_decides_nothing_about_his_own_fold():
    swapped = EMOTIONS.copy()
    swapped[:6] = swapped[:6][::-1]  # speaker a's labels are all wrong now
    before, _ = probe(features(), EMOTIONS, SPEAKERS)
    after, _ = probe(features(), swapped, SPEAKERS)
    assert (before[:6] == after[:6]).all()


def test_a_block_that_only_the_test_speaker_shows_best_is_not_chosen():
    first, second = (9.0 * (EMOTIONS == "sad")[:, None] for _ in range(2))
    first[:6] = 9 - first[:6]  # misleads for speaker a, perfect for the others
    second[[6, 12, 18]] = 9 - second[[6, 12, 18]]  # good for all, best for a
    features = {"first": first, "second": second}
    predicted, chosen = probe(features, EMOTIONS, SPEAKERS)
    assert chosen[0] == "first"
    assert (predicted[:6] != EMOTIONS[:6]).all()


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 16000), 16000)
    return str(path)


def test_every_block_and_the_output_are_pooled(tiny_wav2vec2, wav):
    states = pooled_states(SpeechEncoder(tiny_wav2vec2), [wav, wav])
    assert list(states) == [*(f"block {i}" for i in range(1, 5)), "output"]
    assert all(values.shape == (2, 32) for values in states.values())


def test_fine_tuned_systems_stand_by_their_clean_speech(tmp_path):
    FabricatedStudy(tmp_path, ["teacher", "student"], seeds=(1, 2))
    predictions = read_predictions(tmp_path)
    (row,) = fine_tuned(predictions, ["teacher"], tmp_path)
    clean = predictions.query("system == 'teacher' and noise == 'clean'")
    ua = accuracy(clean)
    assert row[:3] == ["teacher", "fine-tuned, seeds 1, 2", f"{ua:.1f}"]


def test_what_is_kept_gives_the_table_again(
    tmp_path, tiny_wav2vec2, short_tones, capsys
):
    kept = tmp_path / "kept.csv.xz"
    front_ends = [str(tiny_wav2vec2)]
    main(
        [str(short_tones / "manifests"), f"--data_folder={short_tones}"]
        + [f"--keep={kept}", *front_ends]
    )
    predictions = pandas.read_csv(kept)
    assert len(predictions) == len(list(short_tones.glob("*.wav")))
    shown = probe_table(probe_rows(predictions))
    assert shown in capsys.readouterr().out
    assert accuracy(predictions) == pytest.approx(
        float(shown.splitlines()[-1].split("|")[3]), abs=0.05
    )


@pytest.fixture
def short_tones(tmp_path):
    """Three speakers, two emotions that differ in pitch, and manifests."""
    folder = tmp_path / "tones"
    folder.mkdir()
    utterances = []
    for speaker, emotion, take in itertools.product(
        "abc", ["ang", "sad"], "12"
    ):
        path = folder / f"{speaker}_{emotion}_{take}.wav"
        pitch = {"ang": 400, "sad": 100}[emotion] + 20 * int(take)
        time = np.arange(8000) / 16000
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), 16000)
        row = {"ID": path.stem, "wav": path.name, "spk_id": speaker}
        row |= {"session": speaker, "gender": "F", "style": "acted"}
        utterances.append({**row, "emo": emotion})
    write_manifests(utterances, folder, folder / "manifests")
    return folder


def test_a_page_that_is_not_there_is_said_before_the_work():
    words = ["nowhere", "nothing", "--data_folder=x", "--into=no.md"]
    with pytest.raises(InputError, match="no.md: cannot be read"):
        main(words)


def test_a_system_without_runs_is_named(tmp_path):
    FabricatedStudy(tmp_path, ["teacher"])
    predictions = read_predictions(tmp_path)
    with pytest.raises(InputError, match="teacher_random.*has runs of teacher"):
        fine_tuned(predictions, ["teacher", "teacher_random"], tmp_path)
