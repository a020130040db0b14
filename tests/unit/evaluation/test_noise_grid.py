"""The noise grid: each recording once, in every condition."""

import numpy as np
import pandas
import pytest
import soundfile
import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.evaluation import noise_grid as module
from mlkd_brain.evaluation.noise_grid import NoiseGrid, noise_grid
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import speech_level

EMOTIONS = ["ang", "hap", "neu", "sad"]


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
        module,
        "read_mono",
        lambda path: read.append(path) or read_mono(path),
    )
    grid(bank, 2).predict(model, manifest, folder)
    assert sorted(read) == [f"{folder}/u{number}.wav" for number in range(5)]


def test_the_grid_counts_utterances_and_accuracy():
    # in each condition all but "sad" are right
    table = pandas.DataFrame(
        {"noise": noise, "snr_db": snr, "emo": emotion, "predicted": predicted}
        for noise, snr in (("clean", None), ("volvo", 0), ("factory1", 0))
        for emotion, predicted in zip(EMOTIONS, ["ang", "hap", "neu", "neu"])
    )
    computed = noise_grid(table).set_index("noise")
    assert computed.index.tolist() == ["clean", "volvo", "factory1"]
    assert computed.loc["volvo", "utterances"] == 4
    assert computed["ua"].tolist() == [0.75] * 3
