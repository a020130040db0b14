"""Speech without labels beside the utterances of a training set."""

import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.pipelines import clean_speech, emotion_label
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.data.unlabelled import UnlabelledSpeech
from mlkd_brain.errors import InputError
from mlkd_brain.names import UNLABELLED

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.encoder import CategoricalEncoder


def record(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = 0.1 * np.sin(np.arange(int(seconds * SAMPLE_RATE)) / 9)
    soundfile.write(path, wav, SAMPLE_RATE)
    return path


@pytest.fixture
def folder(tmp_path):
    record(tmp_path / "speech" / "a.wav")
    record(tmp_path / "speech" / "below" / "b.flac", 0.5)
    return tmp_path / "speech"


@pytest.fixture
def datasets(tmp_path):
    """Six utterances to learn from and one of each other part."""
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(["ang", "sad"], sequence_input=False)

    def dataset(*names):
        rows = {
            name: {
                "wav": str(record(tmp_path / f"{name}.wav")),
                "duration": 1.0,
                "emo": "sad",
            }
            for name in names
        }
        made = DynamicItemDataset(rows, [clean_speech, emotion_label(encoder)])
        made.set_output_keys(["id", "clean_sig", "emo_encoded"])
        return made

    train = dataset(*(f"u{i}" for i in range(6)))
    return {"train": train, "valid": dataset("v"), "test": dataset("t")}


def test_recordings_come_behind_the_utterances_without_a_label(
    tmp_path, folder, datasets
):
    speech = UnlabelledSpeech(folder, 0.25, tmp_path / "manifests")
    assert speech.add_to(datasets) == (2, 2)  # 2 of 8 are a quarter
    *labelled, first, second = datasets["train"]
    assert [item["emo_encoded"].item() for item in labelled] == [1] * 6
    assert first["emo_encoded"] == second["emo_encoded"] == UNLABELLED
    assert (first["id"], len(first["clean_sig"])) == ("unlabelled/a.wav", 16000)
    assert second["id"] == "unlabelled/below/b.flac"
    row = datasets["train"].data[second["id"]]
    assert row["duration"] == 0.5 and -40 < row["level_g712"] < 0


def test_the_facts_change_with_the_recordings(tmp_path, folder):
    def facts():
        return UnlabelledSpeech(folder, 0.5, tmp_path / "manifests").facts

    before = facts()
    assert before["recordings"] == 2 and facts() == before
    record(folder / "a.wav", 2.0)
    assert facts()["files"] != before["files"]


@pytest.mark.parametrize("part", ["v", "t"])
def test_what_is_validated_or_tested_on_is_not_learned_from(
    tmp_path, folder, datasets, part
):
    (folder / "linked.wav").symlink_to(tmp_path / f"{part}.wav")
    speech = UnlabelledSpeech(folder, 0.25, tmp_path / "manifests")
    with pytest.raises(InputError, match=f"{part}.wav, which is in the"):
        speech.add_to(datasets)
    assert len(datasets["train"]) == 6


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(InputError, match="unlabelled_share is 1; it lies"):
        UnlabelledSpeech(None, 1, tmp_path)
    with pytest.raises(InputError, match="holds no recording"):
        UnlabelledSpeech(tmp_path, 0.5, tmp_path)


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
