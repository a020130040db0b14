"""Accuracies with what is known of their error, and tests between systems.

Accuracies are in percent. Utterances of one speaker are alike, so what is
resampled are speakers, each with all of its utterances, seeds and noises.

Authors
 * The MLKD team 2026
"""

import functools
from typing import NamedTuple

import numpy as np
import pandas
from scipy.stats import binomtest

RESAMPLES = 2000
ACCURACIES = ("UA", "WA")
#: What makes two predictions of two systems a pair.
PAIRED = ["seed", "fold", "ID", "noise", "snr_db"]


def accuracy(predictions, name="UA"):
    """Accuracy of some predictions taken together, percent.

    Arguments
    ---------
    predictions : pandas.DataFrame
        At least one row.
    name : str
        "UA" or "WA".

    Returns
    -------
    float
        In [0, 100].
    """
    # scikit-learn's functions take ten times as long, for thousands of cells
    hits = predictions["emo"] == predictions["predicted"]
    if name == "UA":
        hits = hits.groupby(predictions["emo"]).mean()
    return 100 * float(np.mean(hits))


def accuracies_of_runs(predictions, name="UA"):
    """Accuracy of each seed and fold, percent, as a pandas.Series."""
    groups = predictions.groupby(["seed", "fold"])
    return pandas.Series({run: accuracy(own, name) for run, own in groups})


def interval(predictions, name="UA", level=95):
    """Bootstrap interval of the pooled accuracy, speakers resampled.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13 (percentiles) with whole speakers as the sampling units.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system.
    name : str
        "UA" or "WA".
    level : float
        Coverage, percent.

    Returns
    -------
    low, high : float
        Percent; both NaN with fewer than two speakers.

    Example
    -------
    >>> right = pandas.DataFrame(
    ...     {"spk_id": ["03", "08"], "emo": ["ang", "sad"]}
    ... ).assign(predicted=["ang", "sad"])
    >>> interval(right)
    (100.0, 100.0)
    """
    return _percentiles(_resampled(predictions, name), level)


def interval_of_difference(first, second, name="UA", level=95):
    """Interval of one system's accuracy minus another's, same resamples.

    Arguments
    ---------
    first, second : pandas.DataFrame
        Predictions of two systems on the same speakers.
    name, level
        As in ``interval``.

    Returns
    -------
    low, high : float
        Percentage points; both NaN with fewer than two speakers.
    """
    differences = _resampled(first, name) - _resampled(second, name)
    return _percentiles(differences, level)


def _percentiles(values, level):
    if len(values) == 0:
        return np.nan, np.nan
    rest = (100 - level) / 2
    low, high = np.nanpercentile(values, [rest, 100 - rest])
    return float(low), float(high)


def _resampled(predictions, name):
    """Accuracy of each resample, (RESAMPLES,); empty for one speaker."""
    right, total = counts_by_speaker(predictions)
    if len(total) < 2:
        return np.empty(0)
    drawn = _draws(len(total))
    right, total = drawn @ right, drawn @ total
    # (RESAMPLES, classes)
    if name == "WA":
        return 100 * right.sum(axis=1) / total.sum(axis=1)
    # a class that was not drawn does not occur
    recalls = np.where(total > 0, right / np.maximum(total, 1), np.nan)
    return 100 * np.nanmean(recalls, axis=1)


@functools.lru_cache
def _draws(speakers):
    """How often each speaker is in each resample, (RESAMPLES, speakers)."""
    random = np.random.default_rng(1986)
    return random.multinomial(
        speakers, np.full(speakers, 1 / speakers), size=RESAMPLES
    )


def counts_by_speaker(predictions):
    """Right and all utterances of each speaker and class.

    Returns
    -------
    right, total : np.ndarray
        (speakers, classes).
    """
    speaker, speakers = pandas.factorize(predictions["spk_id"], sort=True)
    emotion, emotions = pandas.factorize(predictions["emo"], sort=True)
    shape = (len(speakers), len(emotions))
    hit = (predictions["emo"] == predictions["predicted"]).to_numpy()
    right, total = np.zeros(shape, int), np.zeros(shape, int)
    np.add.at(right, (speaker[hit], emotion[hit]), 1)
    np.add.at(total, (speaker, emotion), 1)
    return right, total


class Comparison(NamedTuple):
    """Two systems on the same utterances in the same conditions."""

    pairs: int
    first_alone: int  # right where the other is wrong
    second_alone: int
    p_value: float
    difference: float  # UA of the first minus the second, points
    low: float
    high: float


def compare(first, second):
    """McNemar's exact test and the difference in UA with its interval.

    Only pairs count: predictions of equal seed, fold, utterance and condition.
    The test takes pairs for independent, which utterances of one speaker are
    not; the interval does not.

    Source: McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12, 1947; exact, by
    the binomial distribution of the discordant pairs.

    Arguments
    ---------
    first, second : pandas.DataFrame
        Predictions of two systems.

    Returns
    -------
    Comparison or None
        None without a common pair.
    """
    columns = [*PAIRED, "spk_id", "emo", "predicted"]
    pairs = first[columns].merge(
        second[[*PAIRED, "predicted"]], on=PAIRED, suffixes=("", "_second")
    )
    if pairs.empty:
        return None
    other = pairs.assign(predicted=pairs["predicted_second"])
    hits, other_hits = (
        table["emo"] == table["predicted"] for table in (pairs, other)
    )
    alone = int((hits & ~other_hits).sum()), int((other_hits & ~hits).sum())
    return Comparison(
        len(pairs),
        *alone,
        mcnemar(*alone),
        accuracy(pairs) - accuracy(other),
        *interval_of_difference(pairs, other),
    )


def mcnemar(first_alone, second_alone):
    """Two-sided p-value of McNemar's exact test.

    Arguments
    ---------
    first_alone, second_alone : int
        Pairs where one is right and the other is wrong.

    Returns
    -------
    float
        In (0, 1]; 1 without a discordant pair.

    Example
    -------
    Five heads of five, or five tails: 2 / 2 ** 5.

    >>> mcnemar(5, 0)
    0.0625
    """
    discordant = first_alone + second_alone
    if discordant == 0:
        return 1.0
    return float(binomtest(first_alone, discordant).pvalue)


def crossings(snrs_db, first, second):
    """SNRs at which two curves cross, straight lines between the points.

    Arguments
    ---------
    snrs_db : sequence of float
        Rising.
    first, second : sequence of float
        Values there.

    Returns
    -------
    list of float
        dB.

    Example
    -------
    >>> crossings([0, 10], first=[40, 70], second=[60, 60])
    [6.666666666666667]
    """
    gaps = np.subtract(list(first), list(second))
    # a point where both are equal belongs to no side
    sides = [(x, gap) for x, gap in zip(snrs_db, gaps) if gap != 0]
    return [
        float(left + (right - left) * abs(before) / (abs(before) + abs(after)))
        for (left, before), (right, after) in zip(sides, sides[1:])
        if before * after < 0
    ]
