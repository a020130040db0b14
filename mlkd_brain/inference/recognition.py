"""From speech to emotions, whatever computes the logits.

Authors
 * The MLKD team 2026
"""

import math
from typing import Any, NamedTuple

import torch
from mlkd_brain.audio import SAMPLE_RATE, read_checked, silence
from mlkd_brain.errors import InputError
from mlkd_brain.method.padding import samples_of

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)
SHORTEST_SECONDS = 0.025  # span of the first frame
#: A longer recording is classified in windows: attention's memory grows with the
#: square of the length.
LONGEST_SECONDS = 60
WINDOW_SECONDS = 30  # the most that a window of such a recording has
BATCH_SECONDS = 32  # of windows that are computed together


class Moment(NamedTuple):
    """A window, or a recording: seconds, probabilities (classes,), class.

    ``warning`` is why they may mean little; "" if nothing is known.
    """

    start: float
    end: float
    probabilities: torch.Tensor
    label: str
    warning: str = ""


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
        """Classify one recording of any rate, channel count and length.

        What ``recognize`` warns of is logged.

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
        whole = self.recognize(path)
        if whole.warning:
            logger.warning(f"{path}: {whole.warning}")
        probabilities = whole.probabilities[None]
        score, index = probabilities.max(dim=-1)
        return probabilities, score, index, [whole.label]

    def recognize(self, path: Any) -> Moment:
        """Classify one recording, however long it is.

        Beyond ``LONGEST_SECONDS`` its logits are the mean over windows of equal
        length, which bounds the memory.

        Arguments
        ---------
        path : str or pathlib.Path or file
            The recording.

        Raises
        ------
        InputError
            If it cannot be read, or is shorter than 25 ms.

        Returns
        -------
        Moment
            From 0 s to its end.
        """
        wav = read_checked(path, SHORTEST_SECONDS)
        warnings, spans = [silence(wav)], [(0, len(wav))]
        if len(wav) > LONGEST_SECONDS * SAMPLE_RATE:
            spans = equal_spans(len(wav))
            warnings.append(
                f"lasts {len(wav) / SAMPLE_RATE:.0f} s: the mean over "
                f"{len(spans)} windows; --window 4 gives a timeline"
            )
        lengths = torch.tensor([end - start for start, end in spans])
        logits = self._logits_of(wav, spans)
        mean = (logits * lengths[:, None]).sum(0) / lengths.sum()
        warning = "; ".join(filter(None, warnings))
        return self._moment(0, len(wav), mean, warning)

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
        return self.moments(read_checked(path, SHORTEST_SECONDS), window, hop)

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
        return [
            self._moment(start, end, logits, silence(wav[start:end]))
            for (start, end), logits in zip(spans, self._logits_of(wav, spans))
        ]

    def _moment(self, start, end, logits, warning):
        probabilities = torch.softmax(logits, dim=-1)
        label = self.emotions[int(probabilities.argmax())]
        seconds = start / SAMPLE_RATE, end / SAMPLE_RATE
        return Moment(*seconds, probabilities, label, warning)

    def _logits_of(self, wav, spans):
        """Logits of parts of a waveform, some at a time, (spans, classes)."""
        longest = max(end - start for start, end in spans)
        together = max(1, int(BATCH_SECONDS * SAMPLE_RATE / longest))
        found = []
        for first in range(0, len(spans), together):
            parts = [wav[a:b] for a, b in spans[first : first + together]]
            batch = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
            lengths = torch.tensor([len(part) for part in parts])
            with torch.inference_mode():
                found.append(self.logits(batch, lengths).float().cpu())
        return torch.cat(found)


def equal_spans(samples: int) -> list[tuple[int, int]]:
    """Windows of at most ``WINDOW_SECONDS``, as few and as equal as can be.

    Example
    -------
    >>> equal_spans(40 * SAMPLE_RATE)
    [(0, 320000), (320000, 640000)]
    """
    count = math.ceil(samples / (WINDOW_SECONDS * SAMPLE_RATE))
    edges = [samples * i // count for i in range(count + 1)]
    return list(zip(edges, edges[1:]))


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
