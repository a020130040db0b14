"""Pretraining from a folder of audio, as a user runs it."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pandas
import pytest
import soundfile
import torch
from transformers import AutoModel

from conftest import REPOSITORY
from mlkd_brain.errors import InputError
from mlkd_brain.lobes import SpeechEncoder

PRETRAIN = REPOSITORY / "recipes" / "Speech" / "pretrain"
RECORDINGS = 10
sys.path.insert(0, str(PRETRAIN))


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """Folders of short sounds in several formats and rates."""
    folder = tmp_path_factory.mktemp("audio")
    random = np.random.default_rng(1)
    for i in range(RECORDINGS):
        rate, ending = ((16000, "wav"), (44100, "flac"), (8000, "ogg"))[i % 3]
        time = np.arange(int(1.2 * rate)) / rate
        sound = 0.3 * np.sin(2 * np.pi * (100 + 20 * i) * time)
        sound += 0.01 * random.standard_normal(len(time))
        place = folder / f"speaker{i % 2}"
        place.mkdir(exist_ok=True)
        soundfile.write(place / f"{i}.{ending}", sound, rate)
    (folder / "._0.wav").write_bytes(b"AppleDouble")
    return folder


def pretrain(audio, folder, epochs):
    options = {
        "data_folder": audio,
        "prepared_folder": folder.parent / "prepared",
        "results_folder": folder,
        "number_of_epochs": epochs,
        "batch_size": 4,
        "valid_share": 0.2,
        "piece_seconds": 1.0,
        "warmup_steps": 1,
        "clusters": 8,
    }
    words = [
        w for key, value in options.items() for w in (f"--{key}", str(value))
    ]
    done = subprocess.run(
        [sys.executable, "pretrain.py", "hparams/embedded.yaml", *words],
        cwd=PRETRAIN,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]
    return folder / "embedded" / "1986"


@pytest.fixture(scope="module")
def run(audio, tmp_path_factory):
    return pretrain(audio, tmp_path_factory.mktemp("work") / "results", 2)


def losses(run):
    """What the log says of each epoch, without what depends on the clock."""
    lines = (run / "train_log.txt").read_text().splitlines()
    return [line.partition(" - ")[2] for line in lines]


def test_pretraining_leaves_an_encoder_that_transformers_reads(run):
    folder = run / "encoder"
    model = AutoModel.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert model.config.num_hidden_layers == 12
    assert (folder / "model.safetensors").stat().st_size < 12e6
    wav = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert SpeechEncoder(str(folder)).eval()(wav).last.isfinite().all()


def test_the_log_says_every_worker_and_the_pace(run):
    first, second = (run / "train_log.txt").read_text().splitlines()
    for word in ("audio hours per hour", "time left", "train cluster"):
        assert word in first
    for worker in ("middle_frames", "last_frames", "utterance", "cluster"):
        assert f"valid {worker}: " in second


def test_the_same_command_gives_the_same_losses(audio, run, tmp_path):
    again = pretrain(audio, tmp_path / "results", 2)
    assert losses(again) == losses(run)


def test_a_finished_pretraining_is_not_begun_again(audio, run):
    before = losses(run)
    pretrain(audio, run.parent.parent, 2)
    assert losses(run) == before


def test_every_recording_is_in_one_part(run):
    prepared = run.parent.parent.parent / "prepared"
    parts = [pandas.read_csv(prepared / f"{p}.csv") for p in ("train", "valid")]
    ids = pandas.concat(parts)["ID"]
    assert len(ids) == RECORDINGS and ids.is_unique
    assert len(parts[1]) == 2
    for wav in (prepared / "wav").iterdir():
        assert soundfile.info(wav).samplerate == 16000


def test_a_folder_without_audio_is_refused(tmp_path):
    from speech_prepare import prepare_speech

    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(InputError, match="holds 0 recordings.*--data_folder"):
        prepare_speech(tmp_path, tmp_path / "prepared", 0.02)


def test_a_damaged_recording_is_named_and_nothing_is_left(tmp_path):
    from speech_prepare import prepare_speech

    soundfile.write(tmp_path / "good.wav", np.zeros(16000), 16000)
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    with pytest.raises(InputError, match="bad.wav"):
        prepare_speech(tmp_path, tmp_path / "prepared", 0.5)
    with contextlib.suppress(FileNotFoundError):
        assert not list((tmp_path / "prepared").iterdir())
