"""Signals made of formulas, with the levels that FANT found in them.

FANT itself (option ``-u``: 16 kHz) measured the rows of portable.json, from
these signals as int16. Each row is one run; ``gain_db`` belongs to SNR 10 dB
and the noise segment that begins at ``start``.

Authors
 * The MLKD team 2026
"""

import json
import pathlib

import numpy as np
from scipy.signal import lfilter

GOLDENS = json.loads(
    (pathlib.Path(__file__).parent / "portable.json").read_text()
)
OPTIONS = {
    "none": "-u -m snr_8khz",
    "band_4khz": "-u -m snr_4khz",
    "g712": "-u",
}


def speechlike(rate=16000, seconds=3.0):
    """Harmonics of 120 Hz in syllables, silent from 1.2 to 1.9 s."""
    time = np.arange(int(seconds * rate)) / rate
    syllables = np.maximum(0, np.sin(2 * np.pi * 1.1 * time)) ** 2
    syllables = syllables * ((time < 1.2) | (time >= 1.9))
    voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 21))
    return _as_int16(0.12 * syllables * voice)


def white(samples=320000):
    """Uniform noise at -25 dBov."""
    return _as_int16(0.1 * uniform(samples))


def low(samples=320000):
    """Noise that falls by 6 dB for each octave above 25 Hz."""
    return _as_int16(lfilter([0.02], [1, -0.99], uniform(samples)))


def uniform(samples, seed=1):
    """s <- 1664525 s + 1013904223 mod 2**32, as values in [-1, 1)."""
    mask = np.uint64(2**32 - 1)
    factor, shift = np.uint64(1664525), np.uint64(1013904223)
    states = np.array([factor * np.uint64(seed) + shift]) & mask
    while len(states) < samples:
        # ``factor`` and ``shift`` lead len(states) steps ahead
        states = np.append(states, (factor * states + shift) & mask)
        shift = (factor * shift + shift) & mask
        factor = (factor * factor) & mask
    return states[:samples] / 2.0**31 - 1


def golden(noise, weighting):
    """FANT's row for this noise ("white", "low") and weighting."""
    wanted = (noise, OPTIONS[weighting])
    (row,) = (r for r in GOLDENS if (r["noise"], r["args"]) == wanted)
    return row


def _as_int16(samples):
    return np.clip(np.rint(samples * 32768), -32768, 32767) / 32768
