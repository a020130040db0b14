"""Where an epoch's time goes, and how much of its audio is padding.

Authors
 * The MLKD team 2026
"""

import time
from collections import defaultdict

import torch

from mlkd_brain.audio import SAMPLE_RATE


class EpochClock:
    """Divides an epoch's time among activities, and counts what was heard.

    Arguments
    ---------
    device : str
        A GPU works on while Python goes on: it is waited for at each lap.

    Example
    -------
    >>> clock = EpochClock()
    >>> clock.lap("data")
    >>> clock.count(torch.tensor([1.0, 0.5]), 16000)
    >>> clock.lap("student")
    >>> sorted(clock.seconds), clock.heard["audio"], clock.heard["padded"]
    (['data', 'student'], 1.5, 2.0)
    """

    def __init__(self, device="cpu"):
        self.on_gpu = str(device).startswith("cuda")
        self.restart()

    def restart(self):
        """Forget everything and start anew."""
        self.seconds, self.heard = defaultdict(float), defaultdict(float)
        self.last = time.perf_counter()

    def lap(self, activity):
        """Give the time since the last lap to an activity."""
        if self.on_gpu:
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[activity] += now - self.last
        self.last = now

    def count(self, wav_lens, time):
        """Count a padded batch.

        Arguments
        ---------
        wav_lens : torch.Tensor
            Relative lengths in (0, 1], (batch,).
        time : int
            Samples in the padded batch.
        """
        seconds = time / SAMPLE_RATE
        self.heard["utterances"] += len(wav_lens)
        self.heard["audio"] += float(wav_lens.sum()) * seconds
        self.heard["padded"] += len(wav_lens) * seconds


def pace(seconds, heard):
    """An epoch's pace in words, for its line in the log.

    Arguments
    ---------
    seconds : dict
        Activity to the time it took, s.
    heard : dict
        "utterances"; seconds of "audio", and of audio when "padded".

    Returns
    -------
    dict
        Name to text.

    Example
    -------
    >>> heard = {"utterances": 20, "audio": 80.0, "padded": 84.0}
    >>> pace({"data": 1.0, "student": 9.0}, heard)
    {'utt/s': '2.0', 'audio s/s': '8.0', 'padding': '1.05', 'data': '10%', \
'student': '90%'}
    """
    total = sum(seconds.values())
    return {
        "utt/s": f"{heard['utterances'] / total:.1f}",
        "audio s/s": f"{heard['audio'] / total:.1f}",
        "padding": f"{heard['padded'] / heard['audio']:.2f}",
        **{name: f"{took / total:.0%}" for name, took in seconds.items()},
    }


def time_left(seconds, done, left):
    """How long the epochs left will take, in words.

    Arguments
    ---------
    seconds : float
        What the epochs done took.
    done, left : int
        Epochs.

    Returns
    -------
    str
        Hours, minutes and seconds.

    Example
    -------
    >>> time_left(20.0, done=2, left=360)
    '1:00:00'
    """
    left = round(seconds / max(1, done) * left)
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
