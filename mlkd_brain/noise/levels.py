"""How loud speech and noise are, and the gain that makes an SNR of it.

Speech is measured where it is active, by ITU-T P.56 method B; noise by its mean
square. Both are in dBov: 0 dB is a mean square of 1. A measurement filter may
run before the meter; it changes what is measured, never what is mixed.

The weightings, with the options of FANT (Hirsch, "FaNT: Filtering and Noise
Adding Tool", 2005) that they stand for at 16 kHz:

==========  ====================  ==================================
weighting   FANT                  band that counts
==========  ====================  ==================================
none        ``-u -m snr_8khz``    0 to 8 kHz
band_4khz   ``-u -m snr_4khz``    0 to 3.66 kHz, metered at 8 kHz
g712        ``-u`` (default)      230 to 3536 Hz, metered at 8 kHz
==========  ====================  ==================================

Written from a description of what FANT does; no code or coefficient of it or of
the ITU-T is used.

Authors
 * The MLKD team 2026
"""

import functools

import numpy as np
from mlkd_brain.noise.active_level import (
    SILENT_SPEECH,
    TINY,
    active_speech_level,
    as_samples,
)
from scipy import signal as filters

SAMPLE_RATE = 16000  # Hz, the rate that the weighted modes are defined for
WEIGHTINGS = ("none", "band_4khz", "g712")
SILENT_NOISE = -190.0  # dBov, quieter than a single step of int16 in a day


def measurement_filter(
    signal: np.ndarray, weighting: str = "none", sample_rate: int = SAMPLE_RATE
) -> tuple[np.ndarray, int]:
    """The signal that the level is measured of.

    ``none`` leaves the signal as it is. ``band_4khz`` halves the rate, keeping
    ``len(signal) // 2`` samples; ``g712`` does that and applies a telephone
    band-pass. Both start from zero state and are causal; the delay of 3.7 ms is
    not compensated, as in FANT. The levels after them agree with FANT's within
    0.01 dB, of noise that lies mostly below the telephone band too.

    Arguments
    ---------
    signal : np.ndarray
        One channel, (time,), floats in [-1, 1].
    weighting : str
        One of ``WEIGHTINGS``.
    sample_rate : int
        Hz; 16000 unless the weighting is "none".

    Raises
    ------
    ValueError
        If the weighting is unknown, the rate is not 16000 Hz where it must be,
        or the samples are not finite floats of one channel.

    Returns
    -------
    filtered : np.ndarray
        (time,) or (time // 2,), float64.
    meter_rate : int
        Rate of ``filtered``, Hz.

    Example
    -------
    >>> filtered, meter_rate = measurement_filter(np.zeros(16001), "g712")
    >>> filtered.shape, meter_rate
    ((8000,), 8000)
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(
            f"Bad weighting '{weighting}', expected one of {list(WEIGHTINGS)}."
        )
    samples = as_samples(signal, "signal").astype(np.float64)
    if weighting == "none":
        return samples, sample_rate
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"Weighting '{weighting}' is defined at {SAMPLE_RATE} Hz, got "
            f"{sample_rate} Hz. Resample the signal or use weighting 'none'."
        )
    half = len(samples) // 2
    if half == 0:
        return np.zeros(0), SAMPLE_RATE // 2
    filtered = filters.upfirdn(_halving_low_pass(), samples, down=2)[:half]
    if weighting == "g712":
        filtered = filters.sosfilt(_telephone_band(), filtered)
    return filtered, SAMPLE_RATE // 2


def speech_level(
    speech: np.ndarray, weighting: str = "none", sample_rate: int = SAMPLE_RATE
) -> float:
    """Active level of speech after the measurement filter.

    Arguments and errors are those of ``measurement_filter``.

    Returns
    -------
    float
        dBov; -100.0 when no speech is found.

    Example
    -------
    >>> speech_level(np.zeros(16000), "g712")
    -100.0
    """
    filtered, meter_rate = measurement_filter(speech, weighting, sample_rate)
    return active_speech_level(filtered, meter_rate)


def noise_level(
    noise: np.ndarray, weighting: str = "none", sample_rate: int = SAMPLE_RATE
) -> float:
    """Mean level of noise after the measurement filter, pauses included.

    Arguments and errors are those of ``measurement_filter``.

    Returns
    -------
    float
        dBov; -200.0 for digital silence.

    Example
    -------
    A full-scale square wave is the loudest signal there is:

    >>> abs(noise_level(np.tile([1.0, -1.0], 100)))
    0.0
    """
    filtered, _ = measurement_filter(noise, weighting, sample_rate)
    energy = np.dot(filtered, filtered)
    return float(10 * np.log10(energy / max(1, len(filtered)) + TINY))


def gain_from_levels(
    speech_level_db: float, noise_level_db: float, snr_db: float
) -> float:
    """Factor for the noise that gives the wanted SNR.

    It is 0 when either level is that of silence, which has no SNR.

    Arguments
    ---------
    speech_level_db : float
        Active level of the speech, dBov.
    noise_level_db : float
        Mean level of the noise segment, dBov, with the same weighting.
    snr_db : float
        Wanted ratio, dB, finite.

    Raises
    ------
    ValueError
        If ``snr_db`` is not finite.

    Returns
    -------
    float
        Linear factor, at least 0.

    Example
    -------
    Noise as loud as the speech is taken down by the SNR, here by half:

    >>> round(gain_from_levels(-26.0, -26.0, 20 * np.log10(2)), 12)
    0.5
    >>> gain_from_levels(-100.0, -26.0, 5.0)
    0.0
    """
    if not np.isfinite(snr_db):
        raise ValueError(f"snr_db is {snr_db}, expected a finite number of dB.")
    if speech_level_db <= SILENT_SPEECH or noise_level_db <= SILENT_NOISE:
        return 0.0
    return float(10.0 ** ((speech_level_db - snr_db - noise_level_db) / 20))


@functools.lru_cache(maxsize=None)
def _halving_low_pass():
    """118 taps, flat within 0.03 dB to 3.52 kHz, 78 dB down from 4 kHz on."""
    bands, gains = [0, 3520, 4000, 8000], [1, 0]
    return filters.remez(118, bands, gains, weight=[1, 30], fs=SAMPLE_RATE)


@functools.lru_cache(maxsize=None)
def _telephone_band():
    """The G.712 band at 8 kHz; outside it only 14.95 dB down, as in FANT."""
    return filters.ellip(
        2, 0.5, 14.95, [300, 3400], "bandpass", fs=8000, output="sos"
    )
