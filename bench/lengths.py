"""Utterances of lengths like IEMOCAP's, without IEMOCAP.

Authors
 * The MLKD team 2026
"""

import zlib

import numpy as np
import torch
from mlkd_brain.audio import SAMPLE_RATE

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes

UTTERANCES = 4425  # of eight training speakers, four fifths of 5531
MEDIAN, NINE_TENTHS, SHORTEST, LONGEST = 3.6, 8.7, 0.58, 34.1  # seconds
TONES = (150.0, 400.0, 1000.0, 2500.0)  # Hz, one a class


def iemocap_like(count=UTTERANCES):
    """Durations through IEMOCAP's quantiles.

    A log-normal distribution through the median and the ninth decile has the
    corpus's mean, 4.55 s, too.

    Returns
    -------
    numpy.ndarray
        Seconds, (count,), in no order.

    Example
    -------
    >>> durations = iemocap_like()
    >>> [round(float(np.quantile(durations, q)), 1) for q in (0, 0.5, 0.9, 1)]
    [0.6, 3.6, 8.7, 34.1]
    """
    places = (np.arange(count) + 0.5) / count
    normal = torch.special.ndtri(torch.from_numpy(places)).numpy()
    deviation = np.log(NINE_TENTHS / MEDIAN) / 1.2816
    durations = np.clip(MEDIAN * np.exp(deviation * normal), SHORTEST, LONGEST)
    durations[-1] = LONGEST
    return np.random.default_rng(0).permutation(durations)


@takes("id", "duration")
@provides("clean_sig")
def tone(utterance, duration):
    """A tone that tells the class, in a little noise: (time,), 16 kHz."""
    random = np.random.default_rng(zlib.crc32(utterance.encode()))
    samples = round(duration * SAMPLE_RATE)
    clock = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    sine = np.sin(2 * np.pi * TONES[_class_of(utterance)] * clock)
    hiss = random.standard_normal(samples, dtype=np.float32)
    return torch.from_numpy(0.05 * sine.astype(np.float32) + 0.05 * hiss)


@takes("id", "clean_sig")
@provides("sig")
def noisier(utterance, clean_sig):
    """The same in more noise, (time,)."""
    random = torch.Generator().manual_seed(zlib.crc32(utterance.encode()))
    return clean_sig + 0.05 * torch.randn(len(clean_sig), generator=random)


@takes("id")
@provides("emo_encoded")
def label(utterance):
    """Class index, (1,)."""
    return torch.tensor([_class_of(utterance)])


def _class_of(utterance):
    return int(utterance[1:]) % len(TONES)


def dataset_of(durations):
    """Made-up utterances of these durations, as a recipe's dataset has them."""
    return DynamicItemDataset(
        {f"u{i}": {"duration": float(d)} for i, d in enumerate(durations)},
        dynamic_items=[tone, noisier, label],
        output_keys=["id", "sig", "clean_sig", "emo_encoded"],
    )


def sample_of(batches, durations, count):
    """Some batches of an epoch that stand for all of them.

    Arguments
    ---------
    batches : list of list of int
        Of the epoch.
    durations : numpy.ndarray
        Of each utterance, seconds.
    count : int
        How many; one from the middle of each range of padded lengths.

    Returns
    -------
    list of list of int
        From short to long.
    """
    by_length = sorted(batches, key=lambda batch: durations[batch].max())
    places = (np.arange(count) + 0.5) * len(batches) / count
    return [by_length[int(place)] for place in places]


def padding_of(batches, durations):
    """Padded audio to audio, of some batches.

    Example
    -------
    >>> padding_of([[0, 1], [2]], np.array([1.0, 2.0, 1.0]))
    1.25
    """
    padded = sum(durations[batch].max() * len(batch) for batch in batches)
    return float(padded / sum(durations[batch].sum() for batch in batches))
