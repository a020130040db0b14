"""One rule for all that is kept: other samples, code or versions, computed anew.

Each cache is given the same recording twice, then with something changed. What
the file system says of the recording (size, date) stays the same.
"""

import json
import os

import mlkd_brain.data.recordings
import mlkd_brain.fingerprint
import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.baseline.feature_cache import FeatureCache, cached
from mlkd_brain.data import manifests
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, freeze
from mlkd_brain.method.teacher_cache import TargetTeacher, TeacherCache
from mlkd_brain.noise import bank as noise_bank
from mlkd_brain.noise.bank import NoiseBank
from tiny_encoders import save_encoder

from speechbrain.dataio.dataset import DynamicItemDataset

WAVE = np.random.default_rng(0).uniform(-0.3, 0.3, 20000)
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def write(folder, wave):
    """The recording; every version of it has the same size and date."""
    path = folder / "speech" / "u1.wav"
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, wave, 16000)
    os.utime(path, (1e9, 1e9))
    return path


class Counted:
    """A function that counts how often it is called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def levels(folder, path, monkeypatch):
    """Speech levels of the manifests."""
    row = dict.fromkeys(manifests.DESCRIPTION, "x")
    row |= {"ID": "u1", "wav": path.name}
    target = folder / "manifests"
    measure = Counted(manifests.speech_level)
    monkeypatch.setattr(manifests, "speech_level", measure)
    manifests.write_manifests([row], path.parent, target)
    return measure.calls, manifests.recordings_of(target)


def noise(folder, path, monkeypatch):
    """The noise bank."""
    measure = Counted(noise_bank.measurement_filter)
    monkeypatch.setattr(noise_bank, "measurement_filter", measure)
    bank = NoiseBank(path.parent, folder / "noise", shares=SHARES)
    bank.prepare()
    return measure.calls, bank.segment("u1", "train", 0, 9).tolist()


def features(folder, path, monkeypatch):
    """Features of the baseline."""
    compute = Counted(lambda wav: wav[:9])
    store = FeatureCache("disk", folder / "features").store_for()
    kept = cached(store, read_mono(path), "clean", compute)
    return compute.calls, kept.tolist()


def targets(folder, path, monkeypatch):
    """Outputs of a teacher."""
    torch.manual_seed(0)
    encoder = save_encoder("wav2vec2", folder / "encoder")
    teacher = freeze(EmotionClassifier(SpeechEncoder(encoder), 4))
    teacher.forward = Counted(teacher.forward)
    row = {"duration": 1.25, "level_none": -20.0, "clean_sig": read_mono(path)}
    dataset = DynamicItemDataset({"u1": row}, output_keys=["id", "clean_sig"])
    cache = TeacherCache("disk", "float32", folder / "targets")
    cache.attach(dataset, TargetTeacher(teacher, [2]), batch_size=1)
    return teacher.forward.calls, dataset[0]["teacher_logits"].tolist()


CACHES = [levels, noise, features, targets]


@pytest.fixture(params=CACHES, ids=lambda cache: cache.__name__)
def use(request, tmp_path, monkeypatch):
    """Use a cache on a recording: how often it computed, and what it gave."""
    monkeypatch.setattr(mlkd_brain.data.recordings, "SETTLED", 0.0)

    def run(wave=WAVE):
        path = write(tmp_path, wave)
        with monkeypatch.context() as patch:
            return request.param(tmp_path, path, patch)

    return run


def test_the_same_is_not_computed_again(use):
    first, again = use(), use()
    assert first[0] > 0 and again == (0, first[1])


def test_an_inverted_recording_of_the_same_date_is_computed_anew(use):
    first, inverted = use(), use(-WAVE)
    assert inverted[0] == first[0] > 0
    assert inverted[1] != first[1]


@pytest.mark.parametrize("part", ["fingerprint_code", "library_versions"])
def test_other_code_or_versions_are_computed_anew(use, monkeypatch, part):
    first = use()
    monkeypatch.setattr(
        mlkd_brain.fingerprint, part, lambda *names, **more: {"other": 1}
    )
    assert use() == first


def test_a_recording_that_did_not_change_is_not_decoded(tmp_path, monkeypatch):
    path = write(tmp_path, WAVE)
    decode = Counted(mlkd_brain.data.recordings.read_mono)
    monkeypatch.setattr(mlkd_brain.data.recordings, "read_mono", decode)
    monkeypatch.setattr(mlkd_brain.data.recordings, "SETTLED", 0.0)
    found = []
    for _ in range(2):
        index = mlkd_brain.data.recordings.RecordingIndex(tmp_path / "i.json")
        found.append(index.checksums({"u1": path}))
        index.save()
    assert decode.calls == 1 and found[0] == found[1]


def test_a_recording_of_a_moment_ago_is_not_relied_on(tmp_path):
    index = mlkd_brain.data.recordings.RecordingIndex(tmp_path / "i.json")
    index.checksums({"u1": write(tmp_path, WAVE)})
    index.save()
    assert not (tmp_path / "i.json").exists()


def test_an_index_of_another_decoder_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "i.json"
    entry = {"u1": [[1, 2, 3, 4], "samples"]}
    index = mlkd_brain.data.recordings.RecordingIndex(path)
    path.write_text(json.dumps({"made_by": index.made_by, "files": entry}))
    assert mlkd_brain.data.recordings.RecordingIndex(path).kept == entry
    monkeypatch.setattr(
        mlkd_brain.fingerprint, "library_versions", lambda *_: {}
    )
    assert mlkd_brain.data.recordings.RecordingIndex(path).kept == {}
