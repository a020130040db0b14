"""Reading recordings: any rate and channel count in, one channel out.

One decoder (libsndfile) reads every file in blocks to its end, whatever its
header says of the length; one resampler (soxr) takes the blocks as they come.

Authors
 * The MLKD team 2026
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pathlib
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np
import soundfile
import soxr
from mlkd_brain.containers import ENDS_EARLY, fault, mend
from mlkd_brain.errors import InputError, printable
from mlkd_brain.names import SAMPLE_RATE

if TYPE_CHECKING:  # torch is imported where audio is read: tables do without
    import torch

LIBRARIES = ("numpy", "soundfile", "soxr")  # that decode and resample
SHORTEST_SECONDS = 0.1  # the conv encoder needs 25 ms for its first frame
RATES = (1000, 1_000_000)  # Hz, lowest and highest that are read
SILENCE = 2 / 2**15  # full scale is 1: two steps of 16 bits, dither included
BLOCK = 2**18  # values, of all channels together
#: libsndfile's formats whose length can be checked, and so are read.
FORMATS = tuple("WAV WAVEX RF64 W64 AIFF AU CAF NIST FLAC OGG MP3".split())
#: Ends of names, in small letters, of what may be a recording in a folder.
SUFFIXES = frozenset(
    ".wav .wave .rf64 .w64 .aif .aiff .aifc .au .snd .caf .nist .sph .flac "
    ".ogg .oga .opus .mp3 .raw".split()
)
#: What a recording is read from.
Source = Union[str, pathlib.Path, BinaryIO]


def read_mono(source: Source, sample_rate: int = SAMPLE_RATE) -> torch.Tensor:
    """Read a recording as one channel at the given rate.

    Channels are averaged, other rates are resampled (soxr, HQ). Memory grows
    with the recording's length alone, whatever its rate.

    Arguments
    ---------
    source : str, pathlib.Path or binary file
        WAV, RF64, W64, AIFF, AU, CAF, NIST SPHERE, FLAC, Ogg (Vorbis, Opus) or
        MP3, at 1 kHz to 1 MHz.
    sample_rate : int
        Rate of the result, Hz.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or ends before its header says.

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
    with _content(source) as content:
        return _read(source, content, sample_rate)


def _read(source, content, sample_rate):
    import torch

    try:
        samples, missing = _decode(_mended(source, content), sample_rate)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except Exception as error:  # whatever a decoder raises is of this file
        reason = getattr(error, "error_string", str(error))
        if not hasattr(source, "read") and not os.path.exists(source):
            reason = "no such file"  # libsndfile: "System error."
        raise InputError(
            f"{source}: cannot be read as audio "
            f"({printable(reason) or type(error).__name__}); restore the file "
            "from the corpus."
        ) from None
    if missing:
        raise InputError(f"{source}: {ENDS_EARLY.format(missing)}.")
    return torch.from_numpy(samples)


class _Memory(io.BytesIO):
    """Bytes as a file in which a decoder may try to go before the start."""

    def seek(self, offset, whence=io.SEEK_SET):
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def _mended(source, content):
    """What is decoded: a path as bytes, for it need not be UTF-8, or a file."""
    patches = mend(content)
    if not patches and not hasattr(source, "read"):
        return os.fsencode(source)
    memory = _Memory(content)
    for place, patch in patches.items():
        memory.seek(place)
        memory.write(patch)
    memory.seek(0)
    return memory


class _Stream(soundfile.SoundFile):
    """Read forward only: a length that the header gives is not believed."""

    def seekable(self):
        return False


def _decode(source, sample_rate):
    """Waveform, and what is missing of it ("" if nothing)."""
    with _Stream(source) as stream:
        _refuse_kind(stream)
        resample = _resampler(stream.samplerate, sample_rate)
        size, read, blocks = max(1, BLOCK // stream.channels), 0, []
        while len(block := stream.read(size, dtype="float32", always_2d=True)):
            read += len(block)
            blocks.append(resample(block.mean(axis=1)))
        blocks.append(resample(np.zeros(0, np.float32), last=True))
        declared = stream.frames
    missing = ""
    if read < declared < 2**62:  # libsndfile's "unknown" is above
        missing = f"its header gives {declared} samples and {read} are there"
    return np.concatenate(blocks), missing


def _refuse_kind(stream):
    if stream.format not in FORMATS:
        raise InputError(
            f"is a recording in {stream.format}, whose length cannot be "
            "checked; convert it to wav or flac."
        )
    if not RATES[0] <= stream.samplerate <= RATES[1]:
        raise InputError(
            f"has {stream.samplerate} samples a second by its header; "
            f"{RATES[0]} to {RATES[1]} Hz are read. Mend its header."
        )


def _resampler(rate, wanted):
    """A function of a block, and of whether it is the last."""
    if rate == wanted:
        return lambda block, last=False: block
    return soxr.ResampleStream(rate, wanted, 1, dtype="float32").resample_chunk


def read_checked(
    source: Source, shortest_seconds: float = SHORTEST_SECONDS
) -> torch.Tensor:
    """Read a recording as ``read_mono`` does and refuse a damaged one.

    Arguments
    ---------
    source : str, pathlib.Path or binary file
        The recording.
    shortest_seconds : float
        Shorter recordings are refused.

    Raises
    ------
    InputError
        If the file is unreadable, truncated, chained, empty, too short or not
        finite.

    Returns
    -------
    torch.Tensor
        Waveform at 16 kHz, (time,).
    """
    with _content(source) as content:
        if found := fault(content):
            raise InputError(f"{source}: {found}.")
        waveform = _read(source, content, SAMPLE_RATE)
    seconds = len(waveform) / SAMPLE_RATE
    if seconds < shortest_seconds:
        raise InputError(
            f"{source}: lasts {seconds:.3f} s, at least {shortest_seconds} s "
            "are needed; restore the file or remove it from the corpus."
        )
    if not waveform.isfinite().all():
        raise InputError(
            f"{source}: holds samples that are not finite; restore the file."
        )
    return waveform


@contextlib.contextmanager
def _content(source):
    """The bytes of a file, mapped if it has a name; nothing if there are none."""
    with contextlib.ExitStack() as opened:
        if hasattr(source, "read"):
            content = source.read()
        else:
            try:
                file = opened.enter_context(open(source, "rb"))
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                content = opened.enter_context(mapped)
            except (OSError, ValueError):  # the decoder will say why
                content = b""
        yield content


def silence(waveform: torch.Tensor) -> str:
    """A warning of a recording in which there is nothing.

    Arguments
    ---------
    waveform : torch.Tensor
        One channel, full scale at 1, (time,).

    Returns
    -------
    str
        "" if there is a sample above two steps of 16 bits.

    Example
    -------
    >>> import torch
    >>> silence(torch.zeros(16000))[:6], silence(torch.full((16000,), 0.01))
    ('silent', '')
    """
    if len(waveform) and waveform.abs().max() > SILENCE:
        return ""
    return (
        "silent: no sample is above two steps of 16 bits, in one channel or "
        "after its channels were averaged"
    )


def find_recordings(
    folder: str | pathlib.Path, depth: str = "*"
) -> tuple[list[pathlib.Path], str]:
    """Recordings of a folder by the ends of their names, and what is left.

    Arguments
    ---------
    folder : str or pathlib.Path
        Any.
    depth : str
        ``*`` for the folder itself, ``**/*`` for those in it, too.

    Returns
    -------
    list of pathlib.Path
        Sorted.
    str
        What was passed over, counted and named; "" if nothing was.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("b.WAV", "a.flac", "c.m4a", "d.txt", "e.txt"):
    ...     (folder / name).touch()
    >>> found, left = find_recordings(folder)
    >>> [path.name for path in found]
    ['a.flac', 'b.WAV']
    >>> left.replace(str(folder), "FOLDER")
    'passed over 3 files in FOLDER that are no recordings by their names: \
2 .txt, 1 .m4a (such as c.m4a)'
    """
    files = sorted(
        path for path in pathlib.Path(folder).glob(depth) if not path.is_dir()
    )
    # "._": AppleDouble, no recording
    found = [
        path
        for path in files
        if path.suffix.lower() in SUFFIXES and path.name[:2] != "._"
    ]
    return found, _passed_over(folder, sorted({*files} - {*found}))


def _passed_over(folder, files):
    if not files:
        return ""
    kinds = Counter(path.suffix.lower() or "no suffix" for path in files)
    counted = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(8))
    first = printable(str(files[0].relative_to(folder)))
    noun = "file" if len(files) == 1 else "files"
    return (
        f"passed over {len(files)} {noun} in {folder} that are no recordings by "
        f"their names: {counted} (such as {first})"
    )
