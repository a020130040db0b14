"""Levels, gains and mixes: against FANT's numbers, and by their properties.

Authors
 * The MLKD team 2026
"""

import math
import warnings

import numpy as np
import portable_signals
import pytest
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.noise import mixing
from mlkd_brain.noise.levels import (
    SAMPLE_RATE,
    WEIGHTINGS,
    gain_from_levels,
    measurement_filter,
    noise_level,
    speech_level,
)
from mlkd_brain.noise.mixing import add_scaled, loop_to_length
from portable_signals import golden, speechlike
from scipy.signal import lfilter, remez

few = settings(max_examples=10, deadline=None)
weighted = pytest.mark.parametrize("weighting", WEIGHTINGS)
TOLERANCE = 0.01  # dB; unweighted levels are equal, filters nearly so
ALONE = 0.05  # dB more, for a segment that is filtered without what precedes
SPEECH = speechlike()
NOISES = {"white": portable_signals.white(), "low": portable_signals.low()}
SEGMENT = NOISES["low"][97024 : 97024 + len(SPEECH)]


def noise_gain(speech, noise, snr_db, weighting="none"):
    levels = speech_level(speech, weighting), noise_level(noise, weighting)
    return gain_from_levels(*levels, snr_db)


def mix(speech, noise, snr_db, weighting="none", name="speech"):
    levels = speech_level(speech, weighting), noise_level(noise, weighting)
    return mixing.mix(speech, noise, *levels, snr_db, name)


def decibels(factor):
    return 20 * math.log10(factor)


@pytest.mark.parametrize("noise", NOISES)
@weighted
def test_levels_and_gain_are_those_of_fant(noise, weighting):
    row = golden(noise, weighting)
    filtered, meter_rate = measurement_filter(NOISES[noise], weighting)
    step = SAMPLE_RATE // meter_rate
    heard = filtered[row["start"] // step :][: len(SPEECH) // step]
    levels = speech_level(SPEECH, weighting), noise_level(heard)
    assert levels[0] == pytest.approx(row["s_level"], abs=TOLERANCE)
    assert levels[1] == pytest.approx(row["n_level"], abs=TOLERANCE)
    gain = gain_from_levels(*levels, row["snr_db"])
    assert decibels(gain) == pytest.approx(row["gain_db"], abs=TOLERANCE)


@pytest.mark.parametrize("noise", NOISES)
@weighted
def test_a_segment_filtered_alone_gives_the_gain_of_fant(noise, weighting):
    row = golden(noise, weighting)
    segment = NOISES[noise][row["start"] :][: len(SPEECH)]
    gain = noise_gain(SPEECH, segment, row["snr_db"], weighting=weighting)
    wanted = pytest.approx(row["gain_db"], abs=ALONE)
    assert decibels(gain) == wanted


@pytest.mark.parametrize("noise", NOISES)
@weighted
def test_the_mix_is_the_file_that_fant_wrote(noise, weighting):
    row = golden(noise, weighting)
    segment = NOISES[noise][row["start"] :][: len(SPEECH)]
    mixed = mix(SPEECH, segment, row["snr_db"], weighting=weighting)
    # 0.05 dB of gain are 0.6 % of the noise
    wanted = pytest.approx(row["out_abs_sum"], rel=0.006)
    assert np.abs(np.rint(32768.0 * mixed)).sum() == wanted


def test_halving_is_causal_from_zero_state():
    taps = remez(118, [0, 3520, 4000, 8000], [1, 0], weight=[1, 30], fs=16000)
    wanted = lfilter(taps, [1.0], SPEECH)[::2]
    filtered, meter_rate = measurement_filter(SPEECH, "band_4khz")
    assert meter_rate == 8000
    assert np.allclose(filtered, wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("weighting", "hertz", "low_db", "high_db"),
    [
        ("band_4khz", 100, -0.1, 0.1),
        ("band_4khz", 3400, -0.1, 0.1),
        ("band_4khz", 4100, -200, -75),
        ("g712", 50, -18, -16),
        ("g712", 230, -3.5, -2.5),
        ("g712", 1000, -0.6, 0.1),
        ("g712", 3536, -3.5, -2.5),
    ],
)
def test_a_tone_passes_as_its_band_says(weighting, hertz, low_db, high_db):
    tone = np.sin(2 * np.pi * hertz * np.arange(32000) / 16000)
    filtered, _ = measurement_filter(tone, weighting)
    settled = filtered[1000:]  # the filters have rung by then
    assert low_db < noise_level(settled) - noise_level(tone) < high_db


@weighted
@pytest.mark.parametrize("samples", [0, 1, 2, 3, 117, 16001])
def test_any_length_is_measured(weighting, samples):
    filtered, meter_rate = measurement_filter(SPEECH[:samples], weighting)
    assert filtered.dtype == np.float64
    assert len(filtered) == samples // (16000 // meter_rate)
    assert math.isfinite(speech_level(SPEECH[:samples], weighting))
    assert math.isfinite(noise_level(SPEECH[:samples], weighting))


def test_levels_are_unweighted_and_of_16_khz_unless_told():
    filtered, meter_rate = measurement_filter(SPEECH)
    assert np.array_equal(filtered, SPEECH) and meter_rate == 16000
    assert speech_level(SPEECH) == speech_level(SPEECH, "none", 16000)
    assert noise_level(SPEECH) == noise_level(SPEECH, "none", 16000)


def test_a_single_sample_has_its_own_square_as_level():
    assert noise_level(np.array([0.1])) == pytest.approx(-20)


@weighted
@few
@given(snr_db=st.floats(-30, 40), step=st.floats(0, 30))
def test_gain_moves_by_exactly_the_step_of_snr(weighting, snr_db, step):
    louder = noise_gain(SPEECH, SEGMENT, snr_db, weighting=weighting)
    softer = noise_gain(SPEECH, SEGMENT, snr_db + step, weighting=weighting)
    moved = decibels(louder) - decibels(softer)
    assert moved == pytest.approx(step, abs=1e-9)


@weighted
@few
@given(factor_db=st.floats(-60, 20))
def test_loudness_of_the_noise_file_does_not_matter(weighting, factor_db):
    other = SEGMENT * 10 ** (factor_db / 20)
    gain = noise_gain(SPEECH, other, 5, weighting=weighting)
    wanted = noise_gain(SPEECH, SEGMENT, 5, weighting=weighting)
    moved = decibels(gain) + factor_db
    assert moved == pytest.approx(decibels(wanted), abs=1e-6)


@weighted
@few
@given(snr_db=st.floats(-5, 30), odd=st.integers(0, 1))
def test_what_is_added_has_the_wanted_snr(weighting, snr_db, odd):
    speech, noise = SPEECH[odd:], SEGMENT[odd:]
    gain = noise_gain(speech, noise, snr_db, weighting=weighting)
    measured = speech_level(speech, weighting) - noise_level(
        gain * noise, weighting
    )
    assert measured == pytest.approx(snr_db, abs=1e-6)


@weighted
def test_overload_is_scaled_to_full_scale_and_keeps_the_snr(weighting):
    speech = SPEECH / np.max(np.abs(SPEECH))
    gain = noise_gain(speech, SEGMENT, -5, weighting=weighting)
    mixed = mix(speech, SEGMENT, -5, weighting=weighting)
    assert np.max(np.abs(mixed)) == 1.0
    parts = np.stack([speech, SEGMENT], axis=1)
    (of_speech, of_noise), *_ = np.linalg.lstsq(parts, mixed, rcond=None)
    assert of_speech < 1.0
    # float32 rounding of the samples
    assert of_noise / of_speech == pytest.approx(gain, rel=1e-5)


@given(st.floats(1, 4), st.sampled_from([-1, 1]))
def test_a_peak_beyond_full_scale_becomes_full_scale(peak, sign):
    click, hiss = np.array([0.0, 1.0]), np.array([0.5, 0.0])
    mixed = add_scaled(hiss, click, sign * peak)
    assert mixed.tolist() == pytest.approx([0.5 / peak, sign])


def test_a_mix_below_full_scale_is_not_scaled():
    mixed = mix(SPEECH, SEGMENT, 20)
    gain = noise_gain(SPEECH, SEGMENT, 20)
    assert mixed.dtype == np.float32
    assert np.allclose(mixed, SPEECH + gain * SEGMENT, atol=1e-7)
    assert np.array_equal(mixed, add_scaled(SPEECH, SEGMENT, gain))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_not_changed(dtype):
    speech, noise = SPEECH.astype(dtype), SEGMENT.astype(dtype)
    mix(10 * speech, noise, 0)
    assert np.array_equal(speech, SPEECH.astype(dtype))
    assert np.array_equal(noise, SEGMENT.astype(dtype))


CLICK = np.where(np.arange(48000) == 9000, 1.5, 0.0)


@weighted
@pytest.mark.parametrize("speech", [np.zeros(48000), CLICK])
def test_a_silent_utterance_is_unchanged_and_named(weighting, speech):
    with pytest.warns(UserWarning, match="Ses01: .*speech is silent") as caught:
        mixed = mix(speech, SEGMENT, 0, weighting=weighting, name="Ses01")
    assert len(caught) == 1
    assert mixed.dtype == np.float32
    assert np.array_equal(mixed, speech)


def test_silent_noise_is_not_blown_up():
    with pytest.warns(UserWarning, match="Ses01: .*noise is silent"):
        mixed = mix(SPEECH, np.zeros_like(SPEECH), 0, name="Ses01")
    assert np.array_equal(mixed, SPEECH.astype(np.float32))


def test_an_utterance_without_a_name_is_called_speech():
    message = "^speech: no noise is added, the speech is silent"
    with pytest.warns(UserWarning, match=message):
        mixing.mix(np.zeros(9), np.ones(9), -100.0, 0.0, snr_db=5)


def test_an_empty_utterance_stays_empty():
    with pytest.warns(UserWarning, match="speech is silent"):
        assert mix(np.zeros(0), np.zeros(0), 5).shape == (0,)
    assert add_scaled(np.zeros(0), np.zeros(0), 1.0).shape == (0,)


def test_speech_that_can_be_heard_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix(SPEECH, SEGMENT, 0)


@pytest.mark.parametrize(
    ("speech_db", "noise_db"), [(-100.0, -30.0), (-30.0, -200.0), (-100, -200)]
)
def test_no_gain_without_a_level(speech_db, noise_db):
    assert gain_from_levels(speech_db, noise_db, 5) == 0.0


def test_noise_that_is_not_longer_is_repeated_from_its_start():
    noise = np.array([1, 2, 3], dtype=np.float32)
    assert loop_to_length(noise, 8).tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert loop_to_length(noise, 3).tolist() == [1, 2, 3]
    assert loop_to_length(noise, 2).tolist() == [1, 2]
    assert loop_to_length(noise, 0).shape == (0,)
    assert loop_to_length(noise, 8).dtype == np.float32


WEIGHTING_ERROR = (
    r"Bad weighting 'a_weight', expected one of "
    r"\['none', 'band_4khz', 'g712'\]"
)


@pytest.mark.parametrize(
    "call",
    [
        lambda: measurement_filter(SPEECH, "a_weight"),
        lambda: speech_level(SPEECH, "a_weight"),
        lambda: noise_level(SPEECH, "a_weight"),
        lambda: noise_gain(SPEECH, SEGMENT, 5, weighting="a_weight"),
        lambda: mix(SPEECH, SEGMENT, 5, weighting="a_weight"),
    ],
)
def test_an_unknown_weighting_is_named(call):
    with pytest.raises(ValueError, match=WEIGHTING_ERROR):
        call()


@pytest.mark.parametrize("snr_db", [math.nan, math.inf, -math.inf])
def test_an_snr_that_is_not_finite_is_named(snr_db):
    message = f"snr_db is {snr_db}, expected a finite number of dB"
    for call in (mix, noise_gain):
        with pytest.raises(ValueError, match=message):
            call(SPEECH, SEGMENT, snr_db)
        with pytest.raises(ValueError, match=message):
            call(np.zeros(9), np.zeros(9), snr_db)


def test_unequal_lengths_are_both_named():
    message = (
        "The speech has 48000 samples, the noise 47999; they must be equal. "
        "Cut the noise or use loop_to_length"
    )
    for call in (mix, add_scaled):
        with pytest.raises(ValueError, match=message):
            call(SPEECH, SEGMENT[1:], 5)


@pytest.mark.parametrize("weighting", ["band_4khz", "g712"])
def test_weighted_modes_refuse_other_rates(weighting):
    message = f"Weighting '{weighting}' is defined at 16000 Hz, got 8000 Hz"
    for level in (speech_level, noise_level):
        with pytest.raises(ValueError, match=message):
            level(SPEECH, weighting, sample_rate=8000)


def test_an_empty_noise_cannot_be_repeated():
    message = "cannot fill 5 samples. Use another recording"
    with pytest.raises(ValueError, match=message):
        loop_to_length(np.zeros(0), 5)


@pytest.mark.parametrize("side", ["speech", "noise"])
def test_bad_samples_name_their_side(side):
    signals = {"speech": SPEECH, "noise": SEGMENT}
    signals[side] = (32768 * signals[side]).astype(np.int16)
    with pytest.raises(ValueError, match=f"The {side} has samples of type int"):
        add_scaled(**signals, gain=1.0)
    signals[side] = np.full(len(SPEECH), np.nan)
    with pytest.raises(ValueError, match=f"The {side} is nan at sample 0"):
        add_scaled(**signals, gain=1.0)
    with pytest.raises(ValueError, match="The signal is nan at sample 0"):
        speech_level(signals[side])
