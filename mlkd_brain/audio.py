"""Reading recordings: any rate and channel count in, one channel out.

Authors
 * The MLKD team 2026
"""

from __future__ import annotations

import pathlib
import wave
from typing import TYPE_CHECKING

import soundfile

from mlkd_brain.errors import InputError
from mlkd_brain.names import SAMPLE_RATE

if TYPE_CHECKING:  # torch is imported where audio is read: tables do without
    import torch

LIBRARIES = ("soundfile", "torch", "torchaudio")  # that decode and resample
SHORTEST_SECONDS = 0.1  # the conv encoder needs 25 ms for its first frame


def read_mono(
    path: str | pathlib.Path, sample_rate: int = SAMPLE_RATE
) -> torch.Tensor:
    """Read a recording as one channel at the given rate.

    Channels are averaged, other rates are resampled (Hann-windowed sinc, as in
    torchaudio).

    Arguments
    ---------
    path : str or pathlib.Path
        Any format that libsndfile reads.
    sample_rate : int
        Rate of the result, Hz.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.

    Returns
    -------
    torch.Tensor
        Waveform, (time,), float32, full scale at 1.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> stereo = [[0.0, 0.0]] * 44100
    >>> soundfile.write(folder / "one_second.wav", stereo, 44100)
    >>> read_mono(folder / "one_second.wav").shape
    torch.Size([16000])
    """
    import torch
    import torchaudio

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(
            f"{path}: cannot be read as audio ({error}); "
            "restore the file from the corpus."
        ) from None
    waveform = torch.from_numpy(samples).mean(dim=1)
    if rate != sample_rate and len(waveform):
        waveform = torchaudio.functional.resample(waveform, rate, sample_rate)
    return waveform


def read_checked(
    path: str | pathlib.Path, shortest_seconds: float = SHORTEST_SECONDS
) -> torch.Tensor:
    """Read a recording as ``read_mono`` does and refuse a damaged one.

    Arguments
    ---------
    path : str or pathlib.Path
        The recording.
    shortest_seconds : float
        Shorter recordings are refused.

    Raises
    ------
    InputError
        If the file is unreadable, truncated, empty, too short or not finite.

    Returns
    -------
    torch.Tensor
        Waveform at 16 kHz, (time,).
    """
    waveform = read_mono(path)
    declared, present = _declared_frames(path), soundfile.info(path).frames
    if declared is not None and present < declared:
        raise InputError(
            f"{path}: truncated, its header gives {declared} samples and "
            f"{present} are there; restore the file from the corpus."
        )
    seconds = len(waveform) / SAMPLE_RATE
    if seconds < shortest_seconds:
        raise InputError(
            f"{path}: lasts {seconds:.3f} s, at least {shortest_seconds} s are "
            "needed; restore the file or remove it from the corpus."
        )
    if not waveform.isfinite().all():
        raise InputError(
            f"{path}: holds samples that are not finite; restore the file."
        )
    return waveform


def _declared_frames(path):
    """Frames that the header of a PCM wav gives; None for other formats."""
    try:
        # libsndfile silently shortens a truncated file; the header does not
        with wave.open(str(path), "rb") as recording:
            return recording.getnframes()
    except (wave.Error, EOFError):
        return None
