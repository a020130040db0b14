"""Functionals of any sound, without a package that is not free."""

import numpy as np
import pytest
import torch
from mlkd_brain.baseline import acoustic_features
from mlkd_brain.baseline.acoustic_features import (
    AcousticFeatures,
    BlockwiseDescriptors,
)
from mlkd_brain.data.descriptors import FrameDescriptors
from mlkd_brain.errors import InputError
from mlkd_brain.optional import is_installed

FEATURES = AcousticFeatures()
SETS = {"IS09": 384, "IS10": 1582, "eGeMAPSv02": 88, "ComParE_2016": 6373}


def speechlike(seconds=1.5, seed=0):
    """A voice of 140 Hz, then noise."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(int(16000 * seconds)) / 16000
    tones = sum(torch.sin(2 * torch.pi * 140 * k * time) / k for k in (1, 2, 3))
    noise = torch.randn(len(time), generator=random)
    return torch.where(time < seconds / 2, tones, noise) / 10


SOUNDS = {
    "voice and noise": speechlike(),
    "0.1 s": speechlike(0.1),
    "silence": torch.zeros(16000),
    "clipped": (20 * speechlike()).clamp(-1, 1),
    "one click": torch.eye(16000)[4000],
}


@pytest.mark.parametrize("name", SOUNDS)
def test_any_sound_has_as_many_features_and_none_is_infinite(name):
    values = FEATURES(SOUNDS[name])
    assert values.shape == (FEATURES.size,) == (768,)
    assert not values.isinf().any()


def test_of_voice_and_noise_every_feature_is_defined():
    assert FEATURES(SOUNDS["voice and noise"]).isfinite().all()


def test_the_second_half_tells_of_the_voiced_frames_alone():
    louder = speechlike()
    louder[len(louder) // 2 + 2000 :] *= 0.5  # noise, which is not voiced
    whole, voiced = (FEATURES(louder) - FEATURES(speechlike())).abs().chunk(2)
    energy = FEATURES.describe.descriptors.names.index("energy")
    change = slice(energy, None, 64)
    # a softer noise leaves the voice louder beside it, by the same everywhere
    spread = 1  # mean, spread, percentiles, change
    assert voiced[change][spread] < 0.2 < whole[change][spread]


@pytest.mark.parametrize("seconds", [0.1, 0.64, 1.37])
def test_blocks_of_frames_change_no_value(seconds, monkeypatch):
    monkeypatch.setattr(acoustic_features, "BLOCK", 7)
    wav = speechlike(seconds)[None]
    ours, theirs = BlockwiseDescriptors(160)(wav), FrameDescriptors(160)(wav)
    assert torch.equal(ours.nan_to_num(-99), theirs.nan_to_num(-99))


def test_an_unknown_set_is_refused_with_what_there_is():
    with pytest.raises(InputError, match="'IS08' for features.*'descriptors'"):
        AcousticFeatures("IS08")


@pytest.mark.parametrize("kind", SETS)
def test_an_opensmile_set_without_its_package_says_how_to_get_it(
    kind, monkeypatch
):
    monkeypatch.setattr("mlkd_brain.optional.is_installed", lambda _: False)
    with pytest.raises(InputError, match="pip install opensmile"):
        AcousticFeatures(kind)


@pytest.mark.skipif(not is_installed("opensmile"), reason="for research only")
@pytest.mark.parametrize("kind", SETS)
def test_an_opensmile_set_has_its_published_size(kind):
    features = AcousticFeatures(kind)
    assert features.size == SETS[kind]
    for sound in SOUNDS.values():
        assert not np.isinf(features(sound).numpy()).any()
