"""Cached targets are those of a teacher that runs at every step."""

import json
from collections import namedtuple

import mlkd_brain.method.teacher_cache as module
import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.fingerprint import fingerprint_samples
from mlkd_brain.method.brains import DistillationBrain
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, freeze
from mlkd_brain.method.teacher_cache import TargetTeacher, TeacherCache
from tiny_training import LAYERS, make_brain

from speechbrain.dataio.dataset import DynamicItemDataset

SAMPLES = [4000, 9000, 6001, 8123, 5000, 16000]


def utterances(count=len(SAMPLES)):
    random = torch.Generator().manual_seed(0)
    wavs = [torch.randn(n, generator=random) for n in SAMPLES[:count]]
    return DynamicItemDataset(
        {
            f"u/{i}": {
                "duration": len(wav) / 16000,
                "clean_sig": wav,
                "sig": wav + 0.5 * torch.randn(len(wav), generator=random),
                "emo_encoded": torch.tensor([i % 4]),
            }
            for i, wav in enumerate(wavs)
        },
        output_keys=["id", "sig", "clean_sig", "emo_encoded"],
    )


class Teacher(EmotionClassifier):
    """Counts its utterances, and breaks off after some."""

    def __init__(self, source, seed=5):
        torch.manual_seed(seed)
        super().__init__(SpeechEncoder(source), 4)
        self.utterances, self.breaks_after = 0, 99

    def forward(self, wavs, wav_lens=None):
        if self.utterances >= self.breaks_after:
            raise KeyboardInterrupt
        self.utterances += len(wavs)
        return super().forward(wavs, wav_lens)


@pytest.fixture()
def teacher(tiny_wav2vec2):
    return freeze(Teacher(tiny_wav2vec2))


def attach(teacher, folder, kind="disk", dtype="float32", layers=LAYERS):
    dataset = utterances()
    cache = TeacherCache(kind, dtype, folder)
    cache.attach(dataset, TargetTeacher(teacher, layers), batch_size=2)
    return dataset


def epoch(teacher, source, folder, kind, dtype="float32", workers=0):
    """The loss of each step of an epoch, and its log."""
    torch.manual_seed(1)
    student = EmotionClassifier(SpeechEncoder(source, kept_layers=LAYERS), 4)
    cache = TeacherCache(kind, dtype, folder / "cache")
    options = {"teacher": teacher, "target_cache": cache}
    brain = make_brain(DistillationBrain, student, folder, 1, **options)
    brain.hparams.batch_size, brain.hparams.seed = 2, 3
    losses, step = [], brain.fit_batch
    brain.fit_batch = lambda batch: losses.append(step(batch)) or losses[-1]
    brain.fit_fold(
        {"train": utterances(), "valid": utterances(4)},
        train_loader_kwargs={"num_workers": workers},
    )
    return torch.stack(losses), brain.train_logger.epochs[0]


@pytest.mark.parametrize(
    ("kind", "workers"), [("memory", 0), ("disk", 0), ("disk", 2)]
)
def test_an_epoch_learns_the_same_with_the_cache(
    teacher, tiny_wav2vec2, tmp_path, kind, workers
):
    plain, _ = epoch(teacher, tiny_wav2vec2, tmp_path / "plain", "none")
    assert teacher.utterances == len(SAMPLES)
    cached, log = epoch(
        teacher, tiny_wav2vec2, tmp_path / "cached", kind, workers=workers
    )
    assert teacher.utterances == 2 * len(SAMPLES)
    assert torch.allclose(cached, plain, rtol=0, atol=1e-4)
    assert set(log["stats_meta"]) >= {"data", "teacher", "student", "optimiser"}


def test_half_precision_loses_half_a_thousandth(teacher, tmp_path):
    exact, half = (
        attach(teacher, tmp_path, dtype=dtype)[5]["teacher_blocks"]
        for dtype in ("float32", "float16")
    )
    assert half.dtype == torch.float16
    assert half.shape == exact.shape == (49, len(LAYERS), 32)
    assert torch.allclose(half.float(), exact, rtol=2**-11, atol=1e-7)


def test_what_is_too_large_for_half_precision_is_refused(teacher, tmp_path):
    with torch.no_grad():
        teacher.encoder.model.encoder.layers[1].final_layer_norm.bias += 1e5
    with pytest.raises(InputError, match="--teacher_cache_dtype float32"):
        attach(teacher, tmp_path, dtype="float16")


def test_each_utterance_gets_its_targets_as_if_alone(teacher, tmp_path):
    dataset = attach(teacher, tmp_path)
    for item, plain in zip(dataset, utterances()):
        outputs = teacher(plain["clean_sig"][None])
        assert "clean_sig" not in item
        blocks = item["teacher_blocks"].unbind(1)
        for ours, layer in zip(blocks, LAYERS):
            theirs = outputs.blocks[layer - 1][0]
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
        logits = item["teacher_logits"]
        assert torch.allclose(logits, outputs.logits[0], rtol=0, atol=1e-5)


def test_students_of_one_teacher_share_its_targets(teacher, tmp_path):
    attach(teacher, tmp_path)
    attach(teacher, tmp_path)
    assert teacher.utterances == len(SAMPLES)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    facts = json.loads((folder / module.FINGERPRINT).read_text())
    assert facts["teacher_layers"] == LAYERS and facts["dtype"] == "float32"


def test_nothing_stale_is_read(teacher, tiny_wav2vec2, encoders, tmp_path):
    attach(teacher, tmp_path)
    other_weights = freeze(Teacher(tiny_wav2vec2, seed=6))
    other_encoder = freeze(Teacher(encoders("hubert")))
    other_norm = freeze(Teacher(tiny_wav2vec2))
    other_norm.encoder.normalize_wav = False
    for other in (other_weights, other_encoder, other_norm):
        attach(other, tmp_path)
        assert other.utterances == len(SAMPLES)
    attach(teacher, tmp_path, layers=[1, 3])
    attach(teacher, tmp_path, dtype="float16")
    assert teacher.utterances == 3 * len(SAMPLES)


def test_other_recordings_of_the_same_names_are_not_confused(
    teacher, tmp_path, monkeypatch
):
    attach(teacher, tmp_path)
    # the first gets shorter, and so the random samples of all others are others
    monkeypatch.setitem(globals(), "SAMPLES", [4321, *SAMPLES[1:]])
    attach(teacher, tmp_path)
    assert teacher.utterances == 2 * len(SAMPLES)


def test_an_interrupted_start_goes_on_where_it_was(teacher, tmp_path):
    teacher.breaks_after = 4
    with pytest.raises(KeyboardInterrupt):
        attach(teacher, tmp_path)
    assert len(list(tmp_path.glob("*/*.safetensors"))) == 4
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    name = fingerprint_samples(utterances()[0]["clean_sig"])
    (folder / f"{name}.safetensors.unfinished").write_bytes(b"cut off")
    teacher.breaks_after = 99
    dataset = attach(teacher, tmp_path)
    assert teacher.utterances == len(SAMPLES)
    assert not list(tmp_path.glob("*/*.unfinished"))
    assert len([item["teacher_logits"] for item in dataset]) == len(SAMPLES)


def test_the_size_is_logged_before_and_holds(teacher, tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(module.logger, "info", logged.append)
    monkeypatch.setattr(module, "OVERHEAD", 0)
    attach(teacher, tmp_path)
    assert f"{len(SAMPLES)} utterances" in logged[0]
    predicted = sum(
        TargetTeacher(teacher, LAYERS).target_bytes(n / 16000, "float32")
        for n in SAMPLES
    )
    files = [path.stat().st_size for path in tmp_path.glob("*/*.safetensors")]
    # a file has a header of less than 400 bytes
    assert 0 < sum(files) - predicted < 400 * len(SAMPLES)


def test_a_disk_that_is_too_small_is_named_at_once(
    teacher, tmp_path, monkeypatch
):
    usage = namedtuple("usage", "total used free")(1e6, 1e6, 1e3)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(
        InputError, match=r"takes \d.* kB, for which .* are missing"
    ):
        attach(teacher, tmp_path)
    assert teacher.utterances == 0


def test_a_damaged_file_is_named(teacher, tmp_path):
    dataset = attach(teacher, tmp_path)
    name = fingerprint_samples(utterances()[2]["clean_sig"])
    (path,) = tmp_path.glob(f"*/{name}.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=f"{name}.safetensors.*Delete it"):
        dataset[2]


@pytest.mark.parametrize(
    ("kind", "dtype", "key"),
    [("ram", "float32", "teacher_cache"), ("disk", "int8", "cache_dtype")],
)
def test_unknown_settings_are_refused(tmp_path, kind, dtype, key):
    with pytest.raises(InputError, match=f"{key}, expected one of"):
        TeacherCache(kind, dtype, tmp_path)
