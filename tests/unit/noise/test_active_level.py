"""The P.56 meter against a literal reference and by its properties.

Authors
 * The MLKD team 2026
"""

import math

import numpy as np
import pytest
import soundfile
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.noise.active_level import (
    _accepted_share,
    _active_samples,
    active_speech_level,
)
from mlkd_brain.noise.levels import WEIGHTINGS, measurement_filter
from portable_signals import speechlike
from scipy.signal import lfilter

few = settings(max_examples=15, deadline=None)
SPEECH = np.append(speechlike(), np.zeros(8000))  # ends in half a second pause


def reference_level(samples, rate):
    """P.56 method B sample by sample, as the standard tells it."""
    pole, hangover = math.exp(-1 / (0.03 * rate)), math.floor(0.2 * rate + 0.5)
    active, since, once, twice = [0] * 15, [None] * 15, 0.0, 0.0
    for sample in samples:
        once = pole * once + (1 - pole) * abs(sample)
        twice = pole * twice + (1 - pole) * once
        for j in range(15):
            if twice >= 2.0 ** (j - 15):
                since[j] = 0
            elif since[j] is not None:
                since[j] += 1
            if since[j] is not None and since[j] <= hangover:
                active[j] += 1
    energy = float(sum(x * x for x in samples))
    return reference_crossing(energy, active)


def reference_crossing(energy, active):
    """The first pair of thresholds around the margin, and the search there."""
    before = None
    for j in range(15):
        if active[j] == 0:
            return -100.0
        level = 10 * math.log10(energy / active[j] + 1e-20)
        threshold = 20 * math.log10(2.0 ** (j - 15))
        excess = level - threshold - 15.9
        if j == 0 and excess < 0:
            return -100.0
        if j > 0 and excess <= 0:
            return reference_search(before, (level, threshold))
        before = level, threshold
    return -100.0


def reference_search(lower, upper):
    """Section 4 of the description of FANT, in levels and thresholds."""
    for level, threshold in (upper, lower):
        if abs(level - threshold - 15.9) < 0.5:
            return level
    point, tolerance, step = upper, 0.5, 0
    target = lower
    while True:
        # halfway from the current point to an original end of the bracket
        point = (point[0] + target[0]) / 2, (point[1] + target[1]) / 2
        excess = point[0] - point[1] - 15.9
        if abs(excess) <= tolerance:
            return point[0]
        step += 1
        if step >= 20:
            tolerance *= 1.1
            if abs(excess) <= tolerance:
                return point[0]
        target = upper if excess > 0 else lower


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(0, 3000),
    rate=st.sampled_from([1000, 8000]),
    level=st.floats(-100, 0),
    bursts=st.integers(1, 5),
)
def test_equals_the_literal_reference(seed, samples, rate, level, bursts):
    random = np.random.default_rng(seed)
    gates = np.repeat(random.random(bursts) < 0.6, samples // bursts + 1)
    noise = random.standard_normal(samples) * gates[:samples]
    noise *= 10 ** (level / 20)
    # rounding only: the envelopes are summed in another order
    wanted = pytest.approx(reference_level(noise, rate), abs=1e-9)
    assert active_speech_level(noise, rate) == wanted


@pytest.mark.parametrize("rate", [1000, 8000])
def test_equals_the_literal_reference_across_pauses(rate):
    burst = np.sin(np.arange(rate // 4))
    quiet = 0.01 * burst
    pause = np.zeros(rate // 2)
    samples = np.concatenate([pause, burst, pause, quiet, burst, pause])
    wanted = pytest.approx(reference_level(samples, rate), abs=1e-9)
    assert reference_level(samples, rate) > -20
    assert active_speech_level(samples, rate) == wanted


@pytest.mark.parametrize(
    ("bracket", "share"),
    [
        # lower end, upper end: excess over the margin, dB
        ((3.0, -0.4), 1.0),
        ((0.4, -5.0), 0.0),
        ((0.4, -0.4), 1.0),  # the upper end is tried first
        ((3.0, -3.0), 0.5),
        ((2.0, -3.0), 0.5),  # an excess of exactly 0.5 dB is near enough
        ((1.95, -3.7), 0.3125),  # 0.5, 0.25, then from there to the upper end
        ((3.7, -1.95), 0.6875),
        ((3.0, -0.5), 0.75),  # an end must be nearer than that
        ((0.5, -3.0), 0.25),
    ],
)
def test_the_search_stops_where_that_of_fant_does(bracket, share):
    assert _accepted_share(*bracket) == share


@pytest.mark.parametrize(
    ("lower", "upper"), [(4.2, -3.0), (3.0, -4.2), (5.0, -3.5), (8.0, -6.0)]
)
def test_a_search_that_goes_in_circles_ends_with_a_wider_tolerance(
    lower, upper
):
    # for ever 1/3 and 2/3, more than 0.5 dB from the margin
    share = _accepted_share(lower, upper)
    assert abs(lower + share * (upper - lower)) > 0.5
    # levels 0 and 1 at the ends: the level is the share
    ends = (0.0, -15.9 - lower), (1.0, 1 - 15.9 - upper)
    assert share == pytest.approx(reference_search(*ends), abs=1e-9)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_emodb_utterance_has_the_level_of_the_search(corpora, weighting):
    paths = sorted((corpora / "emodb").glob("*.wav"))
    assert len(paths) == 339
    for path in paths:
        samples, _ = soundfile.read(path)
        filtered, rate = measurement_filter(samples, weighting)
        wanted = reference_crossing(*plain_activity(filtered, rate))
        level = active_speech_level(filtered, rate)
        assert level == pytest.approx(wanted, abs=1e-6), path.name


def plain_activity(samples, rate):
    """Energy and active samples a threshold, without runs or sorting."""
    pole = math.exp(-1 / (0.03 * rate))
    envelope = np.abs(samples)
    for _ in range(2):
        envelope = lfilter([1 - pole], [1, -pole], envelope)
    times, active = np.arange(len(samples)), []
    for j in range(15):
        last = np.where(envelope >= 2.0 ** (j - 15), times, -(10**9))
        since = times - np.maximum.accumulate(last)
        active.append(np.count_nonzero(since <= math.floor(0.2 * rate + 0.5)))
    return float(np.sum(np.square(samples))), active


def test_the_rate_is_16_khz_unless_it_is_given():
    assert active_speech_level(SPEECH) == active_speech_level(SPEECH, 16000)
    assert active_speech_level(SPEECH) != active_speech_level(SPEECH, 16001)


def test_an_envelope_may_begin_at_a_threshold():
    active = _active_samples(np.full(10, 2.0**-15), hangover=2)
    assert active.tolist() == [10] + [0] * 14


def test_a_threshold_is_reached_when_it_is_equalled():
    # no made signal has an envelope that lands on a threshold
    envelope = np.array([0.0, 2.0**-15, 0.0, 0.0, 0.0, 2.0**-14, 0.0])
    active = _active_samples(envelope, hangover=2)
    assert active[:3].tolist() == [3 + 2, 2, 0]


@few
@given(octaves=st.integers(-6, 2))
def test_a_power_of_two_moves_the_level_exactly(octaves):
    # thresholds are powers of two, so the whole measurement shifts with it
    moved = active_speech_level(SPEECH * 2.0**octaves)
    wanted = active_speech_level(SPEECH) + 20 * math.log10(2) * octaves
    assert moved == pytest.approx(wanted, abs=1e-9)


@few
@given(gain_db=st.floats(-40, 12))
def test_any_factor_moves_the_level(gain_db):
    # between thresholds the level is a straight line, not the true curve;
    # here it misses by 0.02 dB at most
    moved = active_speech_level(SPEECH * 10 ** (gain_db / 20))
    wanted = active_speech_level(SPEECH) + gain_db
    assert moved == pytest.approx(wanted, abs=0.05)


@few
@given(before=st.floats(0, 5), behind=st.floats(0, 5))
def test_pauses_at_both_ends_do_not_count(before, behind):
    padded = np.pad(SPEECH, (int(before * 16000), int(behind * 16000)))
    wanted = pytest.approx(active_speech_level(SPEECH), abs=0.1)
    assert active_speech_level(padded) == wanted


def test_a_pause_behind_an_abrupt_end_counts_for_the_hangover_only():
    speech = speechlike()  # ends within a syllable
    one, four = (
        active_speech_level(np.pad(speech, (0, seconds * 16000)))
        for seconds in (1, 4)
    )
    assert one == four
    energy = np.sum(speech**2)
    seconds_active = [
        energy / 10 ** (level / 10) / 16000
        for level in (active_speech_level(speech), one)
    ]
    # the hangover, and up to seven time constants until the envelope is down
    assert 0.2 < np.diff(seconds_active) < 0.4


def test_a_square_wave_that_never_pauses_has_its_mean_square():
    wave = np.tile([0.25, -0.25], 80000)
    # only the first few ms, before the envelope rises, are not active
    wanted = pytest.approx(20 * math.log10(0.25), abs=0.01)
    assert active_speech_level(wave) == wanted


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(1),
        np.ones(1),
        np.zeros(16000),
        np.full(16000, 1e-6),
        1e-4 * np.sin(np.arange(16000)),
        1e-200 * np.sin(np.arange(16000)),
    ],
)
def test_silence_and_faint_signals_have_no_active_level(samples):
    assert active_speech_level(samples) == -100.0


@pytest.mark.parametrize("height", [0.01, 1.0])
def test_an_isolated_click_is_not_speech(height):
    click = np.zeros(32000)
    click[8000] = height
    assert active_speech_level(click) == -100.0


def test_float32_and_float64_agree():
    speech = SPEECH.astype(np.float32)  # holds int16 values exactly
    assert active_speech_level(speech) == active_speech_level(SPEECH)


def test_the_signal_is_not_changed():
    speech = SPEECH.copy()
    active_speech_level(speech)
    assert np.array_equal(speech, SPEECH)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.ones(5, dtype=np.int16), "type int16, expected floats in"),
        ([1, 2, 3], "type int64, expected floats in .* Divide int16 by 32768"),
        (np.ones(5, dtype=complex), "type complex128, expected floats"),
        (
            np.ones((2, 160)),
            r"^The signal has shape \(2, 160\), expected one channel, "
            r"\(time,\)\. Average the channels first\.$",
        ),
        (np.float64(1.0), r"has shape \(\), expected one channel"),
        (
            np.array([0, 0, np.nan]),
            r"is nan at sample 2, expected finite floats in \[-1, 1\]\. "
            r"Restore the recording\.$",
        ),
        (np.array([0, -np.inf, 0]), "is -inf at sample 1, expected finite"),
    ],
)
def test_bad_samples_are_named(samples, message):
    with pytest.raises(ValueError, match=message):
        active_speech_level(samples)


@pytest.mark.parametrize("rate", [0, -8000, math.nan])
def test_a_bad_rate_is_named(rate):
    with pytest.raises(ValueError, match=f"sample_rate is {rate}, expected Hz"):
        active_speech_level(SPEECH, rate)
