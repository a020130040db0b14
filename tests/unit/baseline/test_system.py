"""The baseline as a model: any sound in, logits out, batches change nothing."""

import numpy as np
import pandas
import pytest
import soundfile
import torch
from mlkd_brain.baseline.acoustic_features import AcousticFeatures
from mlkd_brain.baseline.feature_cache import FeatureCache
from mlkd_brain.baseline.front_end import FrontEnd
from mlkd_brain.baseline.svm import SupportVectorMachine
from mlkd_brain.baseline.system import Baseline, training_ranges
from mlkd_brain.evaluation.complexity import complexity
from mlkd_brain.evaluation.noise_grid import NoiseGrid
from mlkd_brain.method.teachers import recover_best, training_command
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import speech_level
from mlkd_brain.noise.sampling import NoiseSampler
from mlkd_brain.run.checkpoints import AtomicCheckpointer

EMOTIONS = ["ang", "hap", "neu", "sad"]


def voice(pitch, seconds=0.8, seed=0):
    """Harmonics with a little noise, 16 kHz."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(int(16000 * seconds)) / 16000
    tones = sum(torch.sin(2 * torch.pi * pitch * k * time) for k in (1, 2, 3))
    return 0.1 * tones + 0.01 * torch.randn(len(time), generator=random)


def build(kernel="linear", front_end=None, cache=None):
    machine = SupportVectorMachine(4, kernel, C=[0.01])
    front_end = FrontEnd() if front_end is None else front_end
    return Baseline(front_end, AcousticFeatures(), machine, cache).eval()


@pytest.fixture(scope="module")
def corpus():
    """Emotion by pitch: four classes, three speakers."""
    labels, speakers = np.tile(range(4), 6), np.repeat(list("abc"), 8)
    wavs = [voice(90 + 40 * c, seed=i) for i, c in enumerate(labels)]
    return wavs, labels, speakers


def learned(corpus, **options):
    model = build(**options)
    wavs, labels, speakers = corpus
    model.classifier.fit(model.describe(wavs).numpy(), labels, speakers)
    return model


@pytest.fixture(scope="module")
def model(corpus):
    return learned(corpus)


def test_it_learns_what_the_features_tell(model, corpus):
    wavs, labels, _ = corpus
    logits = model(torch.stack(wavs)).logits
    assert (logits.argmax(-1).numpy() == labels).all()


def test_an_utterance_has_one_answer_whatever_it_is_batched_with(model):
    wavs = [voice(130, seconds) for seconds in (0.4, 1.1, 0.7)]
    samples = torch.tensor([len(w) for w in wavs])
    padded = torch.full((3, max(samples)), 0.5)  # junk in the padding
    for row, wav in zip(padded, wavs):
        row[: len(wav)] = wav
    together = model(padded, samples / padded.shape[1])
    alone = torch.cat([model(wav[None]).logits for wav in wavs])
    assert torch.allclose(together.logits, alone, atol=1e-5)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_no_sound_gives_nan(corpus, kernel):
    model = learned(corpus, kernel=kernel)
    random = torch.Generator().manual_seed(1)
    for wav in (
        torch.zeros(16000),
        voice(130, 0.1),
        (50 * voice(130)).clamp(-1, 1),
        torch.randn(16000, generator=random),
        torch.eye(16000)[8000],
    ):
        assert model(wav[None]).logits.isfinite().all()


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_it_is_recovered_as_any_model(corpus, tmp_path, kernel):
    before, after = learned(corpus, kernel=kernel), build(kernel)
    saver = AtomicCheckpointer(tmp_path / "save", {"model": before})
    saver.save_checkpoint(meta={"UA": 0.5, "epoch": 1, "selection": [0.5, 0.0]})
    assert recover_best(after, tmp_path / "save", "")["UA"] == 0.5
    wav = voice(150)[None]
    assert torch.equal(before(wav).logits, after(wav).logits)


def test_its_size_is_what_it_has_learned(model):
    cost = complexity(model, seconds=0.5)
    assert cost["parameters"] >= 4 * 768 + 4  # a plane for each class
    assert cost["bytes"] == 4 * cost["parameters"]
    assert cost["milliseconds"] > 0


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("vad_nmf", "train_baseline.py hparams/vad_nmf.yaml --fold 3"),
        ("nmf", "train_baseline.py hparams/vad_nmf.yaml --system nmf --fold 3"),
    ],
)
def test_a_missing_baseline_is_told_how_to_make_it(system, command):
    hparams = {"fold": 3, "seed": 1986, "noisy_copies": 0}
    assert command in training_command(system, hparams)


# ------------------------------------------------------------------ noise


class NotesCondition(torch.nn.Module):
    """A front end that notes the condition, and changes nothing."""

    enhancement = None

    def __init__(self):
        super().__init__()
        self._conditions = []

    def forward(self, waveform, noise=None):
        self._conditions.append(noise)
        return waveform


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Two utterances and two noises: manifest, folder and bank."""
    folder = tmp_path_factory.mktemp("material")
    rows = []
    for number, emotion in enumerate(EMOTIONS[:2]):
        wav = voice(120 + 40 * number, seed=number).numpy()
        soundfile.write(folder / f"u{number}.wav", wav, 16000)
        rows.append(
            {
                "ID": f"u{number}",
                "wav": f"$data_root/u{number}.wav",
                "spk_id": "s",
                "duration": len(wav) / 16000,
                "emo": emotion,
                "level_none": speech_level(wav, "none"),
            }
        )
    (folder / "noise").mkdir()
    random = np.random.default_rng(0)
    for name in ("hum", "hiss"):
        noise = random.uniform(-0.2, 0.2, 80000)
        soundfile.write(folder / "noise" / f"{name}.wav", noise, 16000)
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(folder / "noise", folder / "cache", shares=shares)
    bank.prepare()
    return pandas.DataFrame(rows), folder, bank


def scored(model, material):
    manifest, folder, bank = material
    grid = NoiseGrid(bank, [0, 10], "none", EMOTIONS, batch_size=2)
    return grid.predict(model, manifest, folder)


def test_an_oracle_gets_the_true_noise_and_none_of_clean_speech(
    corpus, material
):
    front_end = NotesCondition()
    model = learned(corpus, front_end=front_end)
    front_end._conditions.clear()
    scored(model, material)
    expected = [None] * 2 + ["hiss"] * 4 + ["hum"] * 4
    assert front_end._conditions == expected


def test_what_was_heard_is_not_computed_again_and_no_number_changes(
    corpus, material, tmp_path
):
    front_end = NotesCondition()
    cache = FeatureCache("disk", tmp_path)
    model = learned(corpus, front_end=front_end, cache=cache)
    front_end._conditions.clear()
    first, second = scored(model, material), scored(model, material)
    assert len(front_end._conditions) == 2 * 5  # utterances, conditions
    model.cache = None
    pandas.testing.assert_frame_equal(first, second, check_exact=True)
    plain = scored(model, material)
    pandas.testing.assert_frame_equal(first, plain, check_exact=True)


def test_time_is_measured_without_the_cache(corpus, tmp_path):
    model = learned(corpus, cache=FeatureCache("disk", tmp_path))
    complexity(model, seconds=0.5)
    assert not list(tmp_path.iterdir())


def test_noise_atoms_hear_the_training_range_of_what_is_not_held_out(material):
    _, _, bank = material
    noise = NoiseSampler(bank, "train", [0], "none", 1, held_out_noise="hum")
    noise.resolve()
    (heard,) = training_ranges(noise).items()
    whole, _ = soundfile.read(bank.noise_folder / "hiss.wav", dtype="float32")
    assert heard[0] == "hiss"
    assert np.array_equal(
        heard[1], whole[: bank.part_range("hiss", "train")[1]]
    )
