"""Pretraining from a folder of audio, as a user runs it."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas
import pytest
import soundfile
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.run.experiment import load_hparams
from places import REPOSITORY
from transformers import AutoModel

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


def command(audio, folder, epochs, **changes):
    options = {
        "data_folder": audio,
        "prepared_folder": folder.parent / "prepared",
        "results_folder": folder,
        "number_of_epochs": epochs,
        "batch_size": 4,
        "valid_share": 0.2,
        "crop_seconds": 1.0,
        "warmup_steps": 1,
        "clusters": 8,
        **changes,
    }
    words = [
        w for key, value in options.items() for w in (f"--{key}", str(value))
    ]
    return {
        "args": [
            sys.executable,
            "pretrain.py",
            "hparams/embedded.yaml",
            *words,
        ],
        "cwd": PRETRAIN,
        "env": {**os.environ, "OMP_NUM_THREADS": "1"},
        "text": True,
    }


def pretrain(audio, folder, epochs):
    done = subprocess.run(**command(audio, folder, epochs), capture_output=True)
    assert done.returncode == 0, done.stderr[-800:]
    return folder / "embedded" / "1986"


def refusal(audio, folder, **changes):
    """The one line with which a command is refused."""
    done = subprocess.run(
        **command(audio, folder, 2, **changes), capture_output=True
    )
    assert done.returncode == 2, done.stderr[-800:]
    return done.stderr.splitlines()[-1]


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


def test_the_log_has_every_target_and_the_throughput(run):
    first, second = (run / "train_log.txt").read_text().splitlines()
    for word in ("audio hours per hour", "time left", "train cluster"):
        assert word in first
    for target in ("middle_frames", "last_frames", "utterance", "cluster"):
        assert f"valid {target}: " in second


def test_the_same_command_gives_the_same_losses(audio, run, tmp_path):
    again = pretrain(audio, tmp_path / "results", 2)
    assert losses(again) == losses(run)


def test_a_finished_pretraining_is_not_begun_again(audio, run):
    before = losses(run)
    pretrain(audio, run.parent.parent, 2)
    assert losses(run) == before


def test_a_pretraining_that_was_killed_goes_on(audio, run, tmp_path):
    results = tmp_path / "results"
    begun = command(
        audio, results, 4, ckpt_interval_minutes=0, ckpt_interval_steps=1
    )
    log = results / "embedded" / "1986" / "train_log.txt"
    with subprocess.Popen(**begun, stderr=subprocess.DEVNULL) as process:
        while not log.is_file() or "epoch: 2," not in log.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    resumed = pretrain(audio, results, 4)
    # had it begun again, the log would have the first epoch twice
    assert log.read_text().count("epoch: 1,") == 1
    assert log.read_text().count("epoch: 4,") == 1
    assert (resumed / "encoder" / "model.safetensors").is_file()


def test_several_processes_are_refused(audio, tmp_path):
    begun = command(audio, tmp_path / "results", 1)
    begun["env"] |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}
    done = subprocess.run(**begun, capture_output=True)
    assert "error: Pretraining is one process" in done.stderr
    assert not (tmp_path / "prepared").exists()


def test_other_settings_and_other_speech_are_refused(audio, run):
    results, before = run.parent.parent, (run / "hyperparams.yaml").read_text()
    said = refusal(audio, results, lr=0.1)
    assert "trained with lr 0.001, not 0.1. Give" in said
    prepared = sorted((results.parent / "prepared" / "wav").iterdir())
    said = refusal(audio / "speaker0", results)
    assert "learned from other recordings" in said and "--system" in said
    assert sorted((results.parent / "prepared" / "wav").iterdir()) == prepared
    assert (run / "hyperparams.yaml").read_text() == before


def test_what_holds_tensors_goes_to_the_device(audio, tmp_path):
    words = command(audio, tmp_path, 1)["args"][2:]
    words[0] = str(PRETRAIN / words[0])
    _, hparams, _, _ = load_hparams(words)
    moved = set(torch.nn.ModuleDict(hparams["modules"]).modules())
    held = {m for m in hparams.values() if isinstance(m, torch.nn.Module)}
    held.remove(hparams["heads"])  # its members are moved
    assert hparams["scale"] in held and held <= moved


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
        prepare_speech(tmp_path, tmp_path / "prepared", tmp_path / "run", 0.02)


def test_a_damaged_recording_is_named_and_nothing_is_left(tmp_path):
    from speech_prepare import prepare_speech

    soundfile.write(tmp_path / "good.wav", np.zeros(16000), 16000)
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    with pytest.raises(InputError, match="bad.wav"):
        prepare_speech(tmp_path, tmp_path / "prepared", tmp_path / "run", 0.5)
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {".prepared.lock", "run"} == {"good.wav", "bad.wav"}


def sound(path, seconds=1.0):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.zeros(int(16000 * seconds)), 16000)


def test_two_recordings_of_one_name_are_refused(tmp_path):
    from speech_prepare import prepare_speech

    sound(tmp_path / "a" / "b.wav")
    sound(tmp_path / "a-b.flac")
    with pytest.raises(
        InputError, match="b.wav and .*a-b.flac would get one name"
    ):
        prepare_speech(tmp_path, tmp_path / "prepared", tmp_path / "run", 0.5)


def test_recordings_that_are_too_short_leave_nothing_half_prepared(tmp_path):
    from speech_prepare import prepare_speech

    sound(tmp_path / "long.wav")
    sound(tmp_path / "short.wav", 0.2)
    with pytest.raises(InputError, match="holds 1 recordings of at least 0.5"):
        prepare_speech(tmp_path, tmp_path / "prepared", tmp_path / "run", 0.5)
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_a_share_that_leaves_a_part_empty_is_refused(share, tmp_path):
    from speech_prepare import prepare_speech

    with pytest.raises(InputError, match="valid_share is"):
        prepare_speech(tmp_path, tmp_path / "prepared", tmp_path / "run", share)


def test_a_large_share_leaves_something_to_learn_from(tmp_path):
    from speech_prepare import prepare_speech

    for name in "ab":
        sound(tmp_path / "speech" / f"{name}.wav")
    prepare_speech(
        tmp_path / "speech", tmp_path / "prepared", tmp_path / "run", 0.99
    )
    for part in ("train", "valid"):
        assert len(pandas.read_csv(tmp_path / "prepared" / f"{part}.csv")) == 1


def test_what_was_not_prepared_cannot_be_taken_as_it_is(tmp_path):
    from speech_prepare import prepare_speech

    with pytest.raises(InputError, match="has no train.csv"):
        prepare_speech(
            tmp_path,
            tmp_path / "prepared",
            tmp_path / "run",
            0.5,
            skip_prep=True,
        )
