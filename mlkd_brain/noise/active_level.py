"""The active level of speech: how loud it is while somebody speaks.

In dBov: 0 dB is a mean square of 1. Written from a description of the method
(ITU-T Recommendation P.56, method B) and of the search by which FANT ends it;
no code of the ITU-T or of FANT is used.

Authors
 * The MLKD team 2026
"""

import itertools

import numpy as np
from scipy import signal as filters

SILENT_SPEECH = -100.0  # dBov, the level where no speech is found
TINY = 1e-20  # added to mean squares: digital silence is -200 dBov
TIME_CONSTANT = 0.03  # seconds, of each of the two smoothing stages
HANGOVER = 0.2  # seconds; a pause counts as speech until it is longer
MARGIN = 15.9  # dB between the active level and the threshold of activity
TOLERANCE = 0.5  # dB, how far from the margin FANT's search stops
PATIENCE = 20  # steps of the search; from then on the tolerance grows
THRESHOLDS = 2.0 ** np.arange(-15, 0)  # one step of int16 to half of full scale
THRESHOLDS_DB = 20 * np.log10(THRESHOLDS)


def active_speech_level(signal: np.ndarray, sample_rate: int = 16000) -> float:
    """Level of speech without its longer pauses: ITU-T P.56 method B.

    A pause in front of the speech does not change it; of the other pauses only
    the first 0.2 s and the decay of the envelope count. The standard leaves
    open how near to the margin is near enough. This stops where FANT does, at
    the first point of its search within half a decibel: up to 0.2 dB from the
    exact crossing, and so a level that jumps where the search takes another
    turn.

    Source: ITU-T Recommendation P.56, method B.

    Arguments
    ---------
    signal : np.ndarray
        One channel, (time,), floats in [-1, 1].
    sample_rate : int
        Hz, greater than 0.

    Raises
    ------
    ValueError
        If the samples are not finite floats of one channel, or the rate is not
        greater than 0.

    Returns
    -------
    float
        dBov; -100.0 for silence, for an isolated click and below about
        -74 dBov, where the thresholds end.

    Example
    -------
    Pauses are left out: a tone of amplitude 0.1 has -23 dBov however long the
    silence around it, while the mean square falls by 6 dB. What remains of the
    pauses is the hangover of 0.2 s and the decay of the envelope.

    >>> tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(160000) / 16000)
    >>> padded = np.pad(tone, 240000)
    >>> round(active_speech_level(padded) - active_speech_level(tone))
    0
    >>> round(10 * np.log10(np.mean(padded**2) / np.mean(tone**2)))
    -6
    """
    samples = as_samples(signal, "signal").astype(np.float64)
    if not sample_rate > 0:
        raise ValueError(
            f"sample_rate is {sample_rate}, expected Hz greater than 0."
        )
    hangover = int(np.floor(HANGOVER * sample_rate + 0.5))
    active = _active_samples(_envelope(samples, sample_rate), hangover)
    return _level_at_margin(np.dot(samples, samples), active)


def as_samples(signal: np.ndarray, name: str) -> np.ndarray:
    """The signal itself, after a check of type, shape and values.

    Arguments
    ---------
    signal : np.ndarray
        One channel, (time,), floats in [-1, 1].
    name : str
        What the error message calls it.

    Raises
    ------
    ValueError
        If it has integers, several channels or samples that are not finite.

    Returns
    -------
    np.ndarray
        (time,), of the same type.
    """
    samples = np.asarray(signal)
    if samples.dtype.kind != "f":
        raise ValueError(
            f"The {name} has samples of type {samples.dtype}, expected floats "
            "in [-1, 1]. Divide int16 by 32768."
        )
    if samples.ndim != 1:
        raise ValueError(
            f"The {name} has shape {samples.shape}, expected one channel, "
            "(time,). Average the channels first."
        )
    if not np.isfinite(samples).all():
        first = int(np.argmin(np.isfinite(samples)))
        raise ValueError(
            f"The {name} is {samples[first]} at sample {first}, expected "
            "finite floats in [-1, 1]. Restore the recording."
        )
    return samples


def _envelope(samples, sample_rate):
    """The magnitude, smoothed by two equal poles from zero state."""
    pole = np.exp(-1 / (TIME_CONSTANT * sample_rate))
    # two passes of one pole, not one of two: a double pole loses digits
    once = filters.lfilter([1 - pole], [1, -pole], np.abs(samples))
    return filters.lfilter([1 - pole], [1, -pole], once)


def _active_samples(envelope, hangover):
    """For each threshold: the samples at most a hangover after reaching it."""
    reached = np.searchsorted(THRESHOLDS, envelope, side="right")
    # The envelope is smooth: neighbouring samples reach the same number of
    # thresholds, so a few hundred runs of samples are counted instead.
    starts = np.flatnonzero(np.diff(reached, prepend=-1))
    lengths = np.diff(starts, append=len(envelope))
    counts = []
    for threshold in range(len(THRESHOLDS)):
        loud = reached[starts] > threshold
        until_next = np.diff(starts[loud], append=len(envelope))
        counts.append(np.minimum(lengths[loud] + hangover, until_next).sum())
    return np.array(counts)


def _level_at_margin(energy, active):
    """The level that is ``MARGIN`` above the threshold of its own activity."""
    active = active[active > 0]  # never grows with the threshold
    levels = 10 * np.log10(energy / active + TINY)
    excess = levels - THRESHOLDS_DB[: len(active)] - MARGIN
    crossed = np.flatnonzero(excess[1:] <= 0)
    if not crossed.size or excess[0] < 0:
        return SILENT_SPEECH
    bracket = slice(crossed[0], crossed[0] + 2)
    lower, upper = levels[bracket]
    return float(lower + _accepted_share(*excess[bracket]) * (upper - lower))


def _accepted_share(lower, upper):
    """Where FANT's search stops: 0 is the lower threshold, 1 the upper one.

    Both ends are tried, then the middle, then again and again the point
    halfway to that end of the bracket which lies beyond the margin. The
    bracket itself stays as it is, so that the search can go in circles: hence
    the growing tolerance.

    Arguments
    ---------
    lower, upper : float
        Excess over the margin at the two thresholds, dB; the first is at least
        0, the second at most.
    """
    if abs(upper) < TOLERANCE:
        return 1.0
    if abs(lower) < TOLERANCE:
        return 0.0
    share, tolerance = 0.5, TOLERANCE
    for step in itertools.count(1):
        excess = lower + share * (upper - lower)
        if abs(excess) <= tolerance:
            return share
        tolerance *= 1.1 if step >= PATIENCE else 1.0
        if excess > tolerance:
            share = (share + 1) / 2
        elif excess < -tolerance:
            share /= 2
