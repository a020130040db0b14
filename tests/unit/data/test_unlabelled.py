"""Speech without labels beside the utterances of a training set."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data import recordings
from mlkd_brain.data.pipelines import clean_speech, emotion_label
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.data.unlabelled import UnlabelledSpeech
from mlkd_brain.errors import InputError
from mlkd_brain.names import UNLABELLED

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.encoder import CategoricalEncoder


def record(path, seconds=1.0, pitch=9):
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = 0.1 * np.sin(np.arange(int(seconds * SAMPLE_RATE)) / pitch)
    soundfile.write(path, wav, SAMPLE_RATE)
    return path


@pytest.fixture
def folder(tmp_path):
    record(tmp_path / "speech" / "a.wav")
    record(tmp_path / "speech" / "below" / "b.flac", 0.5)
    return tmp_path / "speech"


@pytest.fixture
def train(tmp_path):
    """Six utterances."""
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(["ang", "sad"], sequence_input=False)
    rows = {
        f"u{i}": {
            "wav": str(record(tmp_path / f"u{i}.wav")),
            "duration": 1.0,
            "emo": "sad",
        }
        for i in range(6)
    }
    made = DynamicItemDataset(rows, [clean_speech, emotion_label(encoder)])
    made.set_output_keys(["id", "clean_sig", "emo_encoded"])
    return made


def prepared(folder, share=0.25):
    speech = UnlabelledSpeech(folder, share, folder.parent / "manifests")
    speech.prepare()
    return speech


def test_recordings_come_behind_the_utterances_without_a_label(folder, train):
    assert prepared(folder).add_to(train) == (2, 2)  # 2 of 8 are a quarter
    *labelled, first, second = train
    assert [item["emo_encoded"].item() for item in labelled] == [1] * 6
    assert first["emo_encoded"] == second["emo_encoded"] == UNLABELLED
    assert (first["id"], len(first["clean_sig"])) == ("unlabelled/a.wav", 16000)
    assert second["id"] == "unlabelled/below/b.flac"
    row = train.data[second["id"]]
    assert row["duration"] == 0.5 and -40 < row["level_g712"] < 0


def test_two_folders_are_kept_apart(folder, tmp_path):
    record(tmp_path / "other" / "c.wav", 0.7)
    speech, other = prepared(folder), prepared(tmp_path / "other")
    assert list(speech.rows()) == [
        "unlabelled/a.wav",
        "unlabelled/below/b.flac",
    ]
    assert list(other.rows()) == ["unlabelled/c.wav"]


def test_the_facts_are_those_of_the_samples(folder):
    before = prepared(folder).facts
    assert prepared(folder).facts == before and before["share"] == 0.25
    record(folder / "a.wav", 1.0, pitch=8)
    assert prepared(folder).facts["recordings"] != before["recordings"]
    assert UnlabelledSpeech(None, 0.25, "unused").facts is None


def test_a_copy_of_what_is_held_out_is_refused(folder, tmp_path):
    tested = record(tmp_path / "corpus" / "t.wav", 0.8)
    other = record(tmp_path / "corpus" / "u.wav", 0.9)
    speech, index = prepared(folder), tmp_path / "recordings.json"
    corpus = tmp_path / "corpus"
    speech.refuse_held_out([str(tested), str(other)], corpus, index)
    shutil.copy(tested, folder / "another_name.wav")
    with pytest.raises(InputError, match="another_name.wav has the samples of"):
        prepared(folder).refuse_held_out(
            [str(tested), str(other)], corpus, index
        )


def test_what_is_known_is_not_decoded_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "SETTLED", -60)
    speech = prepared(folder)
    monkeypatch.setattr(recordings, "_checksum", pytest.fail)
    speech.refuse_held_out([], tmp_path, tmp_path / "recordings.json")


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(InputError, match="unlabelled_share is 1; it lies"):
        UnlabelledSpeech(None, 1, tmp_path)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="is no folder, or holds no"):
            UnlabelledSpeech(folder, 0.5, tmp_path / "manifests").prepare()


def test_an_epoch_has_every_utterance_and_others_of_the_recordings():
    durations = np.linspace(1, 9, 50)
    options = {"batch_size": 4, "bucket_jitter": 0.2, "seed": 3}
    sampler = LengthBucketSampler(durations, spare=30, drawn=7, **options)
    seen = set()
    for epoch in range(12):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        order = np.concatenate(batches)
        assert sorted(order[order < 20]) == list(range(20))
        spare = set(order[order >= 20])
        assert len(order) == 27 and len(spare) == 7
        assert len(batches) == len(sampler) == 7
        for batch in batches:  # 20 and 7 in 7 batches
            assert sum(i < 20 for i in batch) in (2, 3)
            assert sum(i >= 20 for i in batch) == 1
        seen |= spare
    assert len(seen) > 25
    assert sampler.mean_size == pytest.approx(27 / 7)


def test_classes_are_balanced_among_the_labelled():
    labels = torch.tensor([0] * 15 + [1] * 5)
    options = {"labels": labels.tolist(), "spare": 10, "drawn": 5}
    sampler = LengthBucketSampler(np.ones(30), 5, 0.2, 1, **options)
    order = np.concatenate(list(sampler))
    counts = [(order < 15).sum(), ((order >= 15) & (order < 20)).sum()]
    assert counts == [10, 10] and (order >= 20).sum() == 5
