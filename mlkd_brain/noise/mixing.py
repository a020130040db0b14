"""Adding noise to speech at a given signal-to-noise ratio, as FANT does.

The SNR is the active level of the speech minus the mean level of the noise
segment, both after the measurement filter of the weighting (see ``levels.py``);
the signals that are added are not filtered. For one utterance and one segment::

    gain = 10 ** ((speech level - SNR - noise level) / 20)
    mix = speech + gain * noise

The speech keeps its level unless the sum exceeds full scale; then the whole sum
is divided by its peak, which keeps the SNR.

Source: Hirsch, "FaNT: Filtering and Noise Adding Tool", 2005; written from a
description of what it does, without its code. Unlike the tool, a segment is
filtered from its own start here, not from the start of the noise file.

To see and check a mix::

    mlkd noise SPEECH.wav NOISE.wav --snr 5 --out picture.png

draws the clean speech, the noise as added and the mix, with their levels.
``--weighting g712`` and ``--start SECONDS`` choose weighting and segment.

Authors
 * The MLKD team 2026
"""

import warnings

import numpy as np

from mlkd_brain.noise.active_level import (
    SILENT_SPEECH,
    active_speech_level,
    as_samples,
)
from mlkd_brain.noise.levels import (
    SAMPLE_RATE,
    WEIGHTINGS,
    gain_from_levels,
    measurement_filter,
    noise_level,
    speech_level,
)

__all__ = [
    "SAMPLE_RATE",
    "WEIGHTINGS",
    "active_speech_level",
    "add_scaled",
    "gain_from_levels",
    "loop_to_length",
    "measurement_filter",
    "mix",
    "noise_gain",
    "noise_level",
    "speech_level",
]


def noise_gain(
    speech, noise, snr_db, sample_rate=SAMPLE_RATE, weighting="none"
):
    """Factor for a noise segment that gives the wanted SNR.

    Arguments
    ---------
    speech : np.ndarray
        Clean utterance, (time,), floats in [-1, 1].
    noise : np.ndarray
        The segment to add, (time,), as long as the speech.
    snr_db : float
        Wanted ratio, dB, finite.
    sample_rate : int
        Hz; 16000 unless the weighting is "none".
    weighting : str
        What defines the SNR, one of ``WEIGHTINGS``.

    Raises
    ------
    ValueError
        If the lengths differ, the SNR is not finite, the weighting is unknown
        or not defined at this rate, or the samples are not finite floats of
        one channel.

    Returns
    -------
    float
        Linear factor, at least 0; 0 when speech or noise is silent.

    Example
    -------
    Ten decibels more are a noise of a tenth of the power:

    >>> random = np.random.default_rng(0)
    >>> speech, noise = random.uniform(-0.1, 0.1, (2, 16000))
    >>> at_0, at_10 = (noise_gain(speech, noise, snr) for snr in (0, 10))
    >>> round((at_10 / at_0) ** 2, 12)
    0.1
    """
    levels = _levels(speech, noise, sample_rate, weighting)
    return gain_from_levels(*levels, snr_db)


def mix(
    speech,
    noise,
    snr_db,
    sample_rate=SAMPLE_RATE,
    weighting="none",
    name="speech",
):
    """Speech with noise at the wanted SNR.

    When the speech or the noise is silent no SNR exists: the speech comes back
    unchanged, with a warning.

    Arguments
    ---------
    speech, noise, snr_db, sample_rate, weighting
        As in ``noise_gain``, which also says what is refused.
    name : str
        What the warning calls the utterance.

    Returns
    -------
    np.ndarray
        (time,), float32, at most full scale.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> speech, noise = random.uniform(-0.1, 0.1, (2, 16000))
    >>> added = mix(speech, noise, snr_db=5.0) - speech
    >>> round(speech_level(speech) - noise_level(added), 3)
    5.0
    """
    levels = _levels(speech, noise, sample_rate, weighting)
    gain = gain_from_levels(*levels, snr_db)
    if gain == 0.0:
        silent = "speech" if levels[0] <= SILENT_SPEECH else "noise"
        warnings.warn(
            f"{name}: no noise is added, the {silent} is silent "
            f"(weighting '{weighting}').",
            stacklevel=2,
        )
        return np.array(speech, dtype=np.float32)
    return add_scaled(speech, noise, gain)


def add_scaled(speech, noise, gain):
    """Speech plus scaled noise, divided by its peak if that exceeds 1.

    Arguments
    ---------
    speech : np.ndarray
        (time,), floats in [-1, 1].
    noise : np.ndarray
        (time,), as long as the speech.
    gain : float
        Linear factor for the noise.

    Raises
    ------
    ValueError
        If the lengths differ or the samples are not finite floats of one
        channel.

    Returns
    -------
    np.ndarray
        (time,), float32, at most full scale.

    Example
    -------
    >>> add_scaled(np.array([0.5, -0.5]), np.array([1.0, 0.0]), gain=1.5)
    array([ 1.  , -0.25], dtype=float32)
    """
    speech, noise = _same_length(speech, noise)
    total = speech + gain * noise  # float32 stays float32, which is faster
    peak = max(np.max(total, initial=0.0), -np.min(total, initial=0.0))
    return (total / peak if peak > 1.0 else total).astype(np.float32)


def loop_to_length(noise, length):
    """Noise of the wanted length: repeated from its first sample, or cut.

    Arguments
    ---------
    noise : np.ndarray
        (time,), at least one sample.
    length : int
        Samples wanted, at least 0.

    Raises
    ------
    ValueError
        If the noise is empty.

    Returns
    -------
    np.ndarray
        (length,), of the same type.

    Example
    -------
    >>> loop_to_length(np.array([1.0, 2.0, 3.0]), 7)
    array([1., 2., 3., 1., 2., 3., 1.])
    """
    if len(noise) == 0:
        raise ValueError(
            f"The noise is empty and cannot fill {length} samples. "
            "Use another recording."
        )
    return np.resize(noise, length)


def _levels(speech, noise, sample_rate, weighting):
    """Active level of the speech and mean level of the noise, dBov."""
    speech, noise = _same_length(speech, noise)
    return (
        speech_level(speech, weighting, sample_rate),
        noise_level(noise, weighting, sample_rate),
    )


def _same_length(speech, noise):
    speech, noise = as_samples(speech, "speech"), as_samples(noise, "noise")
    if len(speech) != len(noise):
        raise ValueError(
            f"The speech has {len(speech)} samples, the noise {len(noise)}; "
            "they must be equal. Cut the noise or use loop_to_length."
        )
    return speech, noise
