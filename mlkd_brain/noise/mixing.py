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

Authors
 * The MLKD team 2026
"""

import warnings

import numpy as np
from mlkd_brain.noise.active_level import SILENT_SPEECH, as_samples
from mlkd_brain.noise.levels import gain_from_levels


def mix(
    speech: np.ndarray,
    noise: np.ndarray,
    speech_level_db: float,
    noise_level_db: float,
    snr_db: float,
    name: str = "speech",
) -> np.ndarray:
    """Speech with noise at the wanted SNR.

    When the speech or the noise is silent no SNR exists: the speech comes back
    unchanged, with a warning.

    Arguments
    ---------
    speech, noise : np.ndarray
        Utterance and segment, (time,) each, floats in [-1, 1].
    speech_level_db, noise_level_db : float
        Of ``speech_level`` and ``noise_level``, with one weighting, dBov.
    snr_db : float
        Wanted ratio, dB, finite.
    name : str
        What the warning calls the utterance.

    Raises
    ------
    ValueError
        If the lengths differ, the SNR is not finite, or the samples are not
        finite floats of one channel.

    Returns
    -------
    np.ndarray
        (time,), float32, at most full scale.

    Example
    -------
    >>> from mlkd_brain.noise.levels import noise_level, speech_level
    >>> random = np.random.default_rng(0)
    >>> speech, noise = random.uniform(-0.1, 0.1, (2, 16000))
    >>> levels = speech_level(speech), noise_level(noise)
    >>> added = mix(speech, noise, *levels, snr_db=5.0) - speech
    >>> round(speech_level(speech) - noise_level(added), 3)
    5.0
    """
    gain = gain_from_levels(speech_level_db, noise_level_db, snr_db)
    if gain == 0.0:
        silent = "speech" if speech_level_db <= SILENT_SPEECH else "noise"
        warnings.warn(f"{name}: no noise is added, the {silent} is silent.")
        speech, noise = _same_length(speech, noise)
        return speech.astype(np.float32)
    return add_scaled(speech, noise, gain)


def add_scaled(
    speech: np.ndarray, noise: np.ndarray, gain: float
) -> np.ndarray:
    """Speech plus scaled noise, divided by its peak if that exceeds 1.

    Arguments
    ---------
    speech, noise : np.ndarray
        (time,) each, floats in [-1, 1].
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


def loop_to_length(noise: np.ndarray, length: int) -> np.ndarray:
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


def _same_length(speech, noise):
    speech, noise = as_samples(speech, "speech"), as_samples(noise, "noise")
    if len(speech) != len(noise):
        raise ValueError(
            f"The speech has {len(speech)} samples, the noise {len(noise)}; "
            "they must be equal. Cut the noise or use loop_to_length."
        )
    return speech, noise
