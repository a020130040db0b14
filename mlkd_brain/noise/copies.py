"""Is one noise recording a copy of another?

The same samples in another file (a wav as FLAC) have the same checksum. A copy
with other samples (another rate, codec, loudness, a trimmed start) is found by
an acoustic fingerprint, which is kept in protocol.json, so that it can be
compared where the recordings are no longer there.

Not found: a copy played faster or slower, less than ``SHORTEST`` seconds of a
recording, and what lies beyond its first ``LONGEST`` seconds.

Authors
 * The MLKD team 2026
"""

import functools
import pathlib
from collections.abc import Mapping

import numpy as np
from mlkd_brain.audio import read_mono
from mlkd_brain.fingerprint import fingerprint_samples
from mlkd_brain.names import SAMPLE_RATE

WINDOW, HOP = 0.4, 0.1  # seconds; windows overlap, so that a start can shift
LOWEST, HIGHEST = 60, 3400  # Hz; copies at 8 kHz keep it, car noise has it
BITS = 16  # of a frame
SHORTEST, LONGEST = 5, 120  # seconds of a recording that are compared
#: Share of equal bits from which two recordings count as one. Of NOISEX-92, two
#: recordings or two halves of one share 0.56 at most; copies share 0.89 after
#: MP3, 0.72 where their windows lie half a step apart.
SAME = 0.65


def samples_checksum(path: str | pathlib.Path) -> str:
    """Checksum of a recording's samples, whatever format they are kept in.

    Arguments
    ---------
    path : str or pathlib.Path
        Any format that ``mlkd_brain.audio`` reads.

    Raises
    ------
    InputError
        If it cannot be read.

    Returns
    -------
    str
        32 hexadecimal digits.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> samples = np.random.default_rng(0).integers(-9, 9, 4000, np.int16)
    >>> for name in ("a.wav", "a.flac"):
    ...     soundfile.write(folder / name, samples, 16000)
    >>> a, b = (samples_checksum(folder / n) for n in ("a.wav", "a.flac"))
    >>> a == b
    True
    """
    return fingerprint_samples(read_mono(path))


def acoustic_fingerprint(waveform: np.ndarray) -> str:
    """What a recording sounds like, in 40 characters a second.

    A bit says whether the energy in one of ``BITS`` bands, above its upper
    neighbour's, rises or falls from one frame to the next.

    Source: Haitsma and Kalker, "A highly robust audio fingerprinting system",
    ISMIR 2002, section 4, with longer steps.

    Arguments
    ---------
    waveform : np.ndarray
        (time,), 16 kHz.

    Returns
    -------
    str
        Hexadecimal, four digits for each 0.1 s; empty below half a second.
    """
    window, hop = (round(seconds * SAMPLE_RATE) for seconds in (WINDOW, HOP))
    waveform = np.asarray(waveform)[: LONGEST * SAMPLE_RATE]
    if len(waveform) < window + hop:
        return ""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, window)[::hop]
    edges = np.geomspace(LOWEST, HIGHEST, BITS + 2) * WINDOW  # FFT bins
    energies = [
        np.add.reduceat(power, edges.astype(int))[:-1]
        for power in (
            np.abs(np.fft.rfft(frame * np.hanning(window))) ** 2
            for frame in frames
        )
    ]
    differences = -np.diff(np.log(np.array(energies) + 1e-20), axis=1)
    bits = np.diff(differences, axis=0) > 0
    return np.packbits(bits, axis=1).tobytes().hex()


@functools.lru_cache  # a study has the same few in every run
def similarity(first: str, second: str) -> tuple[float, float]:
    """Share of bits that two fingerprints have in common, best aligned.

    Arguments
    ---------
    first, second : str
        From ``acoustic_fingerprint``.

    Returns
    -------
    share : float
        In [0, 1]; near 0.5 for recordings that have nothing in common, 0 if
        one is too short.
    later : float
        Seconds by which the same sound comes later in the second.
    """
    one, other = (_signs(text) for text in (first, second))
    shortest = round(SHORTEST / HOP)
    if min(len(one), len(other)) < shortest:
        return 0.0, 0.0
    size = len(one) + len(other)
    spectra = np.fft.rfft(other, size, 0) * np.fft.rfft(one, size, 0).conj()
    agreement = np.fft.irfft(spectra, size, 0).sum(axis=1)
    lags = np.arange(size)
    lags[lags >= len(other)] -= size
    overlap = np.minimum(len(one), len(other) - lags) - np.maximum(0, -lags)
    shares = 0.5 + agreement / (2 * BITS * np.maximum(overlap, 1))
    shares[overlap < shortest] = 0
    best = int(np.argmax(shares))
    return float(shares[best]), float(lags[best] * HOP)


def copy_of(
    tested: str, heard: str, fingerprints: Mapping[str, str]
) -> tuple[float, float] | None:
    """How a recording of the test is a copy of one of the training, if it is.

    Arguments
    ---------
    tested, heard : str
        Checksums.
    fingerprints : mapping
        Checksum to acoustic fingerprint; protocols of earlier versions have
        none, and are compared by checksum alone.

    Returns
    -------
    tuple or None
        As from ``similarity``, (1, 0) for equal checksums; None for two
        recordings.
    """
    if tested == heard:
        return 1.0, 0.0
    found = similarity(
        fingerprints.get(heard, ""), fingerprints.get(tested, "")
    )
    return found if found[0] >= SAME else None


def _signs(text):
    """-1 or 1 for each frame and bit."""
    frames = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, BITS // 8)
    return np.unpackbits(frames, axis=1) * 2.0 - 1
