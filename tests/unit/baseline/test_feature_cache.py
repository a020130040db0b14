"""What is kept is what would be computed, and nothing stale."""

import pytest
import torch
from mlkd_brain.baseline.enhancement import NmfEnhancement
from mlkd_brain.baseline.feature_cache import FeatureCache, cached, settings_of
from mlkd_brain.baseline.front_end import FrontEnd
from mlkd_brain.baseline.vad import VoiceActivity
from mlkd_brain.errors import InputError


class Scaled(torch.nn.Module):
    """Counts how often it is asked."""

    def __init__(self, factor=2.0, order="first_this"):
        super().__init__()
        self.order = order
        self.register_buffer("factor", torch.tensor(factor))
        self._asked = 0

    def forward(self, waveform):
        self._asked += 1
        return waveform[:3] * self.factor


WAV = torch.arange(8.0)


def remembered(cache, module, wav=WAV, condition="clean"):
    return cached(cache.store_for(module), wav, condition, module)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache("disk", tmp_path)


def test_the_same_waveform_is_computed_once_and_for_other_runs(cache):
    module, other = Scaled(), Scaled()
    once, again = remembered(cache, module), remembered(cache, other)
    assert torch.equal(once, again) and torch.equal(once, module(WAV))
    assert other._asked == 0


@pytest.mark.parametrize(
    "other", [Scaled(factor=3.0), Scaled(order="first_that")]
)
def test_other_weights_or_settings_are_computed_anew(cache, other):
    remembered(cache, Scaled())
    assert torch.equal(remembered(cache, other), WAV[:3] * other.factor)
    assert other._asked == 1


@pytest.mark.parametrize(
    ("wav", "condition"),
    [(WAV + 1e-6, "clean"), (WAV, "volvo"), (WAV[:7], "clean")],
)
def test_other_samples_or_another_noise_are_computed_anew(
    cache, wav, condition
):
    module = Scaled()
    remembered(cache, module)
    remembered(cache, module, wav, condition)
    assert module._asked == 2


def test_other_code_is_computed_anew(cache, monkeypatch):
    module = Scaled()
    remembered(cache, module)
    monkeypatch.setattr(
        "mlkd_brain.fingerprint.fingerprint_code",
        lambda *_, **__: "other",
    )
    remembered(cache, module)
    assert module._asked == 2


def test_other_versions_are_computed_anew(cache, monkeypatch):
    module = Scaled()
    remembered(cache, module)
    monkeypatch.setattr(
        "mlkd_brain.fingerprint.library_versions",
        lambda *_: {"torch": "other"},
    )
    remembered(cache, module)
    assert module._asked == 2


def test_nan_is_kept_as_nan(cache):
    module = Scaled(factor=float("nan"))
    for _ in range(2):
        assert remembered(cache, module).isnan().all()
    assert module._asked == 1


def test_without_a_cache_nothing_is_written(tmp_path):
    assert FeatureCache("none", tmp_path / "none").store_for(Scaled()) is None
    assert not (tmp_path / "none").exists()


def test_an_unknown_kind_gets_one_line(tmp_path):
    with pytest.raises(
        InputError, match="'memory' for feature_cache, expected"
    ):
        FeatureCache("memory", tmp_path)


def real(**changes):
    """The baseline's front end, and a change of one of its settings."""
    options = {"knowledge": "pooled", "iterations": 5, "detector": "energy"}
    options |= {"order": "nmf_then_vad", "hangover": 0.1, **changes}
    enhancement = NmfEnhancement(
        *(["hum"], options["knowledge"], 512, 160, 4, 4, 100, 5),
        *(options["iterations"], 2.0, 0.1, 1986),
    )
    enhancement.speech_atoms.fill_(1 / 257)
    vad = VoiceActivity("energy", 0.025, 0.01, options["hangover"], 0.3)
    vad.detector = options["detector"]  # whose package may be missing
    return FrontEnd(enhancement, vad, options["order"])


@pytest.mark.parametrize(
    "change",
    [
        {"knowledge": "blind"},
        {"iterations": 6},
        {"detector": "silero"},
        {"hangover": 0.2},
        {"order": "vad_then_nmf"},
    ],
)
def test_every_setting_of_the_front_end_has_a_folder_of_its_own(cache, change):
    one, same, other = real(), real(), real(**change)
    assert cache.store_for(one).folder == cache.store_for(same).folder
    assert cache.store_for(one).folder != cache.store_for(other).folder
    bare = FrontEnd(enhancement=one.enhancement)
    assert cache.store_for(one).folder != cache.store_for(bare).folder


def test_settings_are_found_through_whatever_holds_them():
    class Plain:
        def __init__(self, hangover):
            self.hangover, self._hidden = hangover, object()

    holder = torch.nn.Module()
    holder.vad, holder.child = Plain(0.1), Scaled(order="x")
    _, found = settings_of(holder)
    assert found["vad"][1] == {"hangover": 0.1}
    assert found["child"][1] == {"order": "x"}
