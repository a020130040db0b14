"""Files of a run, and of its caches, that are empty or half."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
from exported_runs import runs  # noqa: F401 - a fixture
from mlkd_brain.errors import InputError
from mlkd_brain.inference.loading import (
    ENCODER_SETTINGS,
    TrainedRun,
    keep_encoder_settings,
)
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.run.experiment import make_label_encoder
from mlkd_brain.tensor_store import TensorStore

DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
}
NAMED = "one line that names the file"
ANEW = "nothing: made anew"


def damage(path, kind):
    path.write_bytes(DAMAGE[kind](path.read_bytes()))


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize(
    "name",
    [
        "hyperparams.yaml",
        "protocol.json",
        "save/label_encoder.txt",
        f"save/{ENCODER_SETTINGS}",
        "model.ckpt",
        "CKPT.yaml",
    ],
)
def test_a_damaged_file_of_a_run_is_named(
    tally,
    runs,  # noqa: F811
    tiny_wav2vec2,
    tmp_path,
    name,
    kind,
):
    run = shutil.copytree(runs("wav2vec2")[0], tmp_path / "run")
    source = SpeechEncoder(tiny_wav2vec2, kept_layers=[2, 4])
    keep_encoder_settings(source, run / "save")
    if name.startswith(("model", "CKPT")):
        paths = list(run.glob(f"save/*/{name}"))
    else:
        paths = [run / name]
    for path in paths:
        damage(path, kind)
    with pytest.raises(InputError) as refused:
        TrainedRun(run)
    message = str(refused.value)
    assert any(str(path.parent) in message for path in paths), message
    assert path.name in message and "damaged" in message, message
    tally.count("damage", name, NAMED)


def test_a_damaged_label_encoder_is_written_anew_in_training(tally, tmp_path):
    make_label_encoder(["b", "a"], tmp_path)
    before = (tmp_path / "label_encoder.txt").read_bytes()
    for kind in DAMAGE:
        damage(tmp_path / "label_encoder.txt", kind)
        encoder = make_label_encoder(["b", "a"], tmp_path)
        assert encoder.encode_label("a") == 1
        assert (tmp_path / "label_encoder.txt").read_bytes() == before
        name = "save/label_encoder.txt, in training"
        tally.count("damage", name, ANEW)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, 20000)
    soundfile.write(folder / "hiss.wav", samples, 16000)
    return folder


@pytest.mark.parametrize("kind", ["empty", "half", "missing"])
def test_a_damaged_noise_cache_is_made_anew(tally, noise, tmp_path, kind):
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(noise, tmp_path, shares=shares)
    bank.prepare()
    (folder,) = (p for p in tmp_path.iterdir() if p.is_dir())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 5
    for name in before:
        if kind == "missing":
            (folder / name).unlink()
        else:
            damage(folder / name, kind)
        NoiseBank(noise, tmp_path, shares=shares).prepare()
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert after == before, name
        tally.count("damage", "noise cache and catalogue", ANEW)


@pytest.mark.parametrize("kind", ["empty", "half"])
def test_a_damaged_file_of_a_store_is_missing(tally, tmp_path, kind):
    store = TensorStore(tmp_path)
    store["u1"] = {"x": torch.ones(100)}
    damage(tmp_path / "u1.safetensors", kind)
    assert "u1" not in store  # so that it is computed anew
    tally.count("damage", "the teacher's cache", ANEW)
