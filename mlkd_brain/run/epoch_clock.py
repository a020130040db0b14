"""What an epoch's time is spent on, and how much of its audio is padding.

Authors
 * The MLKD team 2026
"""

import itertools
import time
from collections import defaultdict
from typing import Any

from mlkd_brain.audio import SAMPLE_RATE


class EpochClock:
    """Divides an epoch's time among activities, and counts its audio.

    Arguments
    ---------
    device : str
        A GPU runs behind Python: there it is the GPU's time that is divided,
        by marks in its queue, and nothing waits for it before ``seconds``.

    Example
    -------
    >>> import torch
    >>> clock = EpochClock()
    >>> clock.lap("data")
    >>> clock.count_batch(torch.tensor([1.0, 0.5]), 16000)
    >>> clock.lap("student")
    >>> sorted(clock.seconds), clock.counts["audio"], clock.counts["padded"]
    (['data', 'student'], 1.5, 2.0)
    """

    def __init__(self, device: str = "cpu"):
        self.on_gpu = str(device).startswith("cuda")
        self.restart()

    def restart(self, seconds: dict | None = None, counts: dict | None = None):
        """Set all times and counts to zero, or to those of an earlier process."""
        self.before = seconds or {}
        self.counts: dict[str, float] = defaultdict(float, counts or {})
        self.laps: list[tuple[str, Any]] = [("", self._now())]

    def lap(self, activity: str) -> None:
        """Add the time since the last lap to an activity."""
        self.laps.append((activity, self._now()))

    def _now(self):
        if not self.on_gpu:
            return time.perf_counter()
        import torch  # here, because a study uses ``as_clock`` alone

        mark = torch.cuda.Event(enable_timing=True)
        mark.record()
        return mark

    @property
    def seconds(self) -> dict[str, float]:
        """Time of each activity so far."""
        if self.on_gpu:
            self.laps[-1][1].synchronize()
        total: dict[str, float] = defaultdict(float, self.before)
        for (_, start), (activity, end) in itertools.pairwise(self.laps):
            total[activity] += (
                start.elapsed_time(end) / 1000 if self.on_gpu else end - start
            )
        return total

    def count_batch(self, wav_lens, samples: int) -> None:
        """Count a batch of relative lengths (batch,), padded to ``samples``."""
        seconds = samples / SAMPLE_RATE
        self.counts["utterances"] += len(wav_lens)
        self.counts["audio"] += float(wav_lens.sum()) * seconds
        self.counts["padded"] += len(wav_lens) * seconds


def throughput(seconds: dict, counts: dict) -> dict[str, float]:
    """An epoch's ``seconds`` and ``counts`` as figures for the log.

    Rates, ratio of padded to true audio, and the share of the time of each
    activity. All of them are numbers: some loggers take nothing else.

    Example
    -------
    >>> counts = {"utterances": 20, "audio": 80.0, "padded": 84.0}
    >>> throughput({"data": 1.0, "student": 9.0}, counts)
    {'utt/s': 2.0, 'audio s/s': 8.0, 'padding': 1.05, 'data': 0.1, \
'student': 0.9}
    """
    total = sum(seconds.values())
    return {
        "utt/s": round(counts["utterances"] / total, 1),
        "audio s/s": round(counts["audio"] / total, 1),
        "padding": round(counts["padded"] / counts["audio"], 2),
        **{name: round(took / total, 2) for name, took in seconds.items()},
    }


def seconds_left(seconds: float, done: int, left: int) -> int:
    """Estimate of the time for the epochs left, from what those done took, s.

    Example
    -------
    >>> seconds_left(20.0, done=2, left=360)
    3600
    """
    return round(seconds / max(1, done) * left)


def as_clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    Example
    -------
    >>> as_clock(3725.4)
    '1:02:05'
    """
    seconds = round(seconds)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
