"""From speech to emotions, whatever computes the logits.

Authors
 * The MLKD team 2026
"""

import math
from typing import Any, NamedTuple

import torch

from mlkd_brain.audio import SAMPLE_RATE, read_checked, read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.method.padding import samples_of

SHORTEST_SECONDS = 0.025  # span of the first frame
MAX_WINDOWS = 8  # of a batch


class Moment(NamedTuple):
    """One window of a timeline: seconds, probabilities (classes,), class."""

    start: float
    end: float
    probabilities: torch.Tensor
    label: str


class Recognition:
    """What every backend can do. It needs ``emotions`` and ``logits``.

    ``emotions`` are the names of the classes, in the order of the logits;
    ``logits(wavs, lengths)`` takes 16 kHz waveforms, (batch, time), and their
    valid samples, (batch,), and gives unnormalised scores, (batch, classes).
    """

    emotions: Any
    logits: Any

    def classify_batch(
        self, wavs: torch.Tensor, wav_lens: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]:
        """Classify a batch of waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time) or (time,), padded with anything.
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,). At least 25 ms each.

        Returns
        -------
        probabilities : torch.Tensor
            In [0, 1], each row sums to 1, (batch, classes).
        score : torch.Tensor
            The largest of each row, (batch,).
        index : torch.Tensor
            Its class, int64, (batch,).
        text_lab : list of str
            Its name.
        """
        wavs = torch.atleast_2d(wavs)
        lengths = samples_of(wav_lens, wavs.shape[1])
        if lengths is None:
            lengths = torch.full((len(wavs),), wavs.shape[1])
        with torch.inference_mode():
            logits = self.logits(wavs.float(), lengths)
        probabilities = torch.softmax(logits.float(), dim=-1).cpu()
        score, index = probabilities.max(dim=-1)
        return probabilities, score, index, [self.emotions[i] for i in index]

    def classify_file(self, path: Any) -> tuple:
        """Classify one recording of any rate and channel count.

        Arguments
        ---------
        path : str or pathlib.Path or file
            The recording; a file is what a pipe gives.

        Raises
        ------
        InputError
            If it cannot be read, or is shorter than 25 ms.

        Returns
        -------
        tuple
            As ``classify_batch``, with a batch of 1.
        """
        return self.classify_batch(read_speech(path))

    def timeline(
        self, path: Any, window: float = 4.0, hop: float = 1.0
    ) -> list[Moment]:
        """Classify a long recording in sliding windows.

        Arguments
        ---------
        path : str or pathlib.Path or file
            The recording.
        window, hop : float
            As for ``moments``.

        Raises
        ------
        InputError
            If the recording cannot be read, or hop and window leave gaps.

        Returns
        -------
        list of Moment
            In order of time.
        """
        return self.moments(read_speech(path), window, hop)

    def moments(
        self, wav: torch.Tensor, window: float = 4.0, hop: float = 1.0
    ) -> list[Moment]:
        """Classify a long waveform in sliding windows.

        The windows cover the waveform; the last one ends with it.

        Arguments
        ---------
        wav : torch.Tensor
            16 kHz, (time,).
        window : float
            Length of a window, seconds.
        hop : float
            From the start of one window to the next, seconds, in (0, window].

        Raises
        ------
        InputError
            If hop and window leave gaps.

        Returns
        -------
        list of Moment
            In order of time.
        """
        spans = window_spans(len(wav), window, hop)
        moments = []
        for first in range(0, len(spans), MAX_WINDOWS):
            some = spans[first : first + MAX_WINDOWS]
            wavs = [wav[start:end] for start, end in some]
            batch = torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)
            lengths = torch.tensor([len(wav) for wav in wavs])
            rows, _, _, labels = self.classify_batch(
                batch, lengths / batch.shape[1]
            )
            moments += [
                Moment(start / SAMPLE_RATE, end / SAMPLE_RATE, row, label)
                for (start, end), row, label in zip(some, rows, labels)
            ]
        return moments


def read_speech(path: Any) -> torch.Tensor:
    """Read a recording to classify, (time,), 16 kHz.

    A file is as long as its header says; a pipe's header cannot know.
    """
    if not hasattr(path, "read"):
        return read_checked(path, SHORTEST_SECONDS)
    wav = read_mono(path)
    if len(wav) < SHORTEST_SECONDS * SAMPLE_RATE:
        raise InputError(
            f"{path}: lasts {len(wav) / SAMPLE_RATE:.3f} s, at least "
            f"{SHORTEST_SECONDS} s are needed."
        )
    return wav


def window_spans(
    samples: int, window: float, hop: float
) -> list[tuple[int, int]]:
    """Where the windows of a recording begin and end.

    Arguments
    ---------
    samples : int
        Of the recording.
    window, hop : float
        Seconds; ``hop`` in (0, window].

    Raises
    ------
    InputError
        If the windows would be too short or leave gaps.

    Returns
    -------
    list of tuple of int
        First sample, and the one after the last.

    Example
    -------
    >>> window_spans(5 * SAMPLE_RATE, window=4.0, hop=2.0)
    [(0, 64000), (32000, 80000)]
    """
    if not (0 < hop <= window and window >= SHORTEST_SECONDS):
        raise InputError(
            f"window is {window} s and hop is {hop} s; hop must be above 0 and "
            f"at most window, window at least {SHORTEST_SECONDS} s."
        )
    size, step = (max(1, round(x * SAMPLE_RATE)) for x in (window, hop))
    count = max(0, math.ceil((samples - size) / step)) + 1
    spans = [(i * step, min(i * step + size, samples)) for i in range(count)]
    # the last window can be too short for a single frame
    shortest = math.ceil(SHORTEST_SECONDS * SAMPLE_RATE)
    return spans[:1] + [(a, b) for a, b in spans[1:] if b - a >= shortest]
