"""Enhancement: what comes out of speech in noise, and of odd utterances."""

import pytest
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.baseline.enhancement import KNOWLEDGE, NmfEnhancement
from mlkd_brain.baseline.enhancement_gain import sdr_db
from mlkd_brain.errors import InputError

SETTINGS = {
    "noise_types": ["hiss", "hum"],
    "knowledge": "pooled",
    "n_fft": 512,
    "hop": 160,
    "speech_atoms": 6,
    "noise_atoms": 3,
    "learning_frames": 400,
    "learning_iterations": 40,
    "iterations": 20,
    "mask_exponent": 2.0,
    "quiet_share": 0.2,
    "seed": 1986,
}


def random_wav(seed, seconds=2.0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(int(seconds * SAMPLE_RATE), generator=random)


def syllables(pitch, seconds=2.0):
    """Harmonics that come and go, (time,)."""
    time = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = sum(
        torch.sin(2 * torch.pi * pitch * n * time) / n for n in range(1, 12)
    )
    return 0.2 * voice * torch.sin(2 * torch.pi * 1.5 * time).clamp_min(0)


def hiss(seed):
    """Noise of high frequencies, (time,)."""
    return 0.1 * random_wav(seed).diff(prepend=torch.zeros(1))


def hum(seed):
    """Noise of low frequencies, (time,)."""
    smooth = torch.ones(1, 1, 401) / 401
    low = torch.conv1d(random_wav(seed)[None, None], smooth, padding=200)
    return low.flatten()


NOISES = {"hiss": hiss(1), "hum": hum(1)}
UTTERANCES = [syllables(pitch) for pitch in (110, 140, 180, 220)]


def learned(**changes):
    enhancement = NmfEnhancement(**{**SETTINGS, **changes})
    enhancement.learn(UTTERANCES[1:], NOISES)
    return enhancement


@pytest.fixture(scope="module", params=KNOWLEDGE)
def enhancement(request):
    return learned(knowledge=request.param)


def test_speech_and_noise_add_up_to_the_mixture(enhancement):
    mixture = UTTERANCES[0] + hiss(2)
    speech, noise = enhancement.separate(mixture, "hiss")
    torch.testing.assert_close(speech + noise, mixture, atol=1e-6, rtol=0)
    assert torch.equal(speech, enhancement(mixture, "hiss"))


@pytest.mark.parametrize("noise", [hiss, hum], ids=["hiss", "hum"])
def test_every_kind_of_knowledge_brings_speech_nearer_to_clean(
    enhancement, noise
):
    clean, added = UTTERANCES[0], noise(2)
    added = added * clean.norm() / added.norm()
    enhanced = enhancement(clean + added, noise.__name__)
    assert sdr_db(clean, enhanced) > sdr_db(clean, clean + added) + 1.0


def test_louder_in_is_louder_out_and_nothing_else(enhancement):
    mixture = UTTERANCES[0] + hiss(2)
    torch.testing.assert_close(
        enhancement(mixture / 8, "hiss") * 8,
        enhancement(mixture, "hiss"),
        atol=1e-4,
        rtol=0,
    )


ODD = {
    "silence": torch.zeros(SAMPLE_RATE),
    "one zero": torch.zeros(1),
    "one sample": torch.ones(1),
    "161 samples": random_wav(3)[:161],
    "0.1 s": random_wav(3, 0.1),
    "clipped": (9 * random_wav(3)).clamp(-1, 1),
    "half silent": torch.cat([torch.zeros(8000), hiss(2)]),
}


@pytest.mark.parametrize("wav", ODD.values(), ids=ODD)
def test_odd_utterances_keep_their_length_and_stay_finite(enhancement, wav):
    enhanced = enhancement(wav, "hiss")
    assert enhanced.shape == wav.shape
    assert torch.isfinite(enhanced).all()
    assert enhanced.abs().max() <= 2 * wav.abs().max()


def test_learning_and_enhancing_twice_gives_the_same(enhancement):
    mixture = UTTERANCES[0] + hum(2)
    again = learned(knowledge=enhancement.knowledge)
    assert torch.equal(again(mixture, "hum"), enhancement(mixture, "hum"))


def test_what_was_learned_travels_in_the_state(enhancement):
    other = NmfEnhancement(**{**SETTINGS, "knowledge": enhancement.knowledge})
    other.load_state_dict(enhancement.state_dict())
    mixture = UTTERANCES[0] + hiss(2)
    assert torch.equal(other(mixture, "hiss"), enhancement(mixture, "hiss"))


def test_without_names_it_learns_every_noise_that_it_is_given():
    named, unnamed = learned(), learned(noise_types=None)
    mixture = UTTERANCES[0] + hiss(2)
    assert unnamed.noise_types == ["hiss", "hum"]
    assert torch.equal(unnamed(mixture), named(mixture))
    other = NmfEnhancement(**{**SETTINGS, "noise_types": None})
    other.load_state_dict(unnamed.state_dict())
    assert other.noise_types == ["hiss", "hum"]
    assert torch.equal(other(mixture), named(mixture))


def test_atoms_of_noise_do_not_depend_on_the_speech():
    one, other = NmfEnhancement(**SETTINGS), NmfEnhancement(**SETTINGS)
    one.learn(UTTERANCES[:1], NOISES)
    other.learn(UTTERANCES[1:], NOISES)
    assert torch.equal(one.noise_atoms, other.noise_atoms)
    assert not torch.equal(one.speech_atoms, other.speech_atoms)


def test_an_oracle_leaves_clean_speech_as_it_is():
    assert learned(knowledge="oracle")(UTTERANCES[0]) is UTTERANCES[0]


def test_only_an_oracle_listens_to_the_true_type():
    mixture = UTTERANCES[0] + hiss(2)
    for knowledge in KNOWLEDGE:
        enhance = learned(knowledge=knowledge)
        same = torch.equal(enhance(mixture, "hiss"), enhance(mixture, "hum"))
        assert same == (knowledge != "oracle")


def test_blind_hears_no_recording_of_noise():
    blind = NmfEnhancement(**{**SETTINGS, "knowledge": "blind"})
    blind.learn(UTTERANCES[1:], {})
    mixture = UTTERANCES[0] + hiss(2)
    assert torch.equal(blind(mixture), learned(knowledge="blind")(mixture))


def test_digital_silence_is_not_taken_for_the_noise():
    clean = torch.cat([torch.zeros(2 * SAMPLE_RATE), UTTERANCES[0]])
    noisy = clean.clone()
    noisy[2 * SAMPLE_RATE :] += 2 * hum(2)
    enhanced = learned(knowledge="blind")(noisy)
    assert sdr_db(clean, enhanced) > sdr_db(clean, noisy) + 1.0


def test_a_noise_that_is_held_out_explains_nothing():
    enhance = NmfEnhancement(**SETTINGS)
    enhance.learn(UTTERANCES[1:], {"hiss": NOISES["hiss"]})
    alone = NmfEnhancement(**{**SETTINGS, "noise_types": ["hiss"]})
    alone.learn(UTTERANCES[1:], {"hiss": NOISES["hiss"]})
    assert enhance.noise_atoms[1].count_nonzero() == 0
    mixture = UTTERANCES[0] + hiss(2)
    assert sdr_db(mixture, enhance(mixture)) == pytest.approx(
        sdr_db(mixture, alone(mixture)), abs=1.0
    )


def test_an_oracle_without_the_atoms_says_so():
    enhance = NmfEnhancement(**{**SETTINGS, "knowledge": "oracle"})
    enhance.learn(UTTERANCES[1:], {"hiss": NOISES["hiss"]})
    for noise in ("hum", "volvo"):
        with pytest.raises(InputError, match=f"'{noise}', which has no atoms"):
            enhance(UTTERANCES[0], noise)


def test_nothing_is_enhanced_before_something_is_learned():
    with pytest.raises(InputError, match="no atoms yet"):
        NmfEnhancement(**SETTINGS)(UTTERANCES[0])


def test_nothing_is_learned_from_silence():
    with pytest.raises(InputError, match="from silence"):
        NmfEnhancement(**SETTINGS).learn([torch.zeros(16000)], NOISES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"knowledge": "all"}, r"'all' for knowledge, expected one of"),
        ({"noise_types": []}, "noise_types is empty"),
        ({"hop": 300}, "hop is 300 and n_fft 512"),
        ({"noise_atoms": 0}, "noise_atoms is 0; it is a number of at least 1"),
        ({"iterations": 0}, "iterations is 0"),
        ({"quiet_share": 0.0}, "quiet_share is 0.0"),
        ({"mask_exponent": -1.0}, "mask_exponent -1.0"),
    ],
)
def test_a_bad_value_is_named(change, message):
    with pytest.raises(InputError, match=message):
        NmfEnhancement(**{**SETTINGS, **change})
