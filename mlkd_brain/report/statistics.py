"""Accuracies with what is known of their error, and tests between systems.

Accuracies are in percent. Utterances of one speaker are alike, so what is
resampled are speakers, each with all of its utterances, seeds and noises.

Authors
 * The MLKD team 2026
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas
from pandas import DataFrame
from scipy.stats import binomtest

RESAMPLES = 2000
ACCURACIES = ("UA", "WA")
#: What makes two predictions of two systems a pair.
PAIRED = ["seed", "fold", "ID", "noise", "snr_db"]
BINS = 10  # of confidence, equally wide


def accuracy(predictions: DataFrame, name: str = "UA") -> float:
    """Accuracy of some predictions taken together, percent.

    Arguments
    ---------
    predictions : pandas.DataFrame
        At least one row.
    name : str
        "UA", the mean recall of the classes that occur, or "WA".

    Returns
    -------
    float
        In [0, 100].
    """
    right, total = _counts_by(predictions, np.zeros(len(predictions), int))
    return float(_from_counts(right, total, name)[0])


def accuracies_of_runs(
    predictions: DataFrame, name: str = "UA"
) -> pandas.Series:
    """Accuracy of each seed and fold, percent; arguments as in ``accuracy``."""
    run = predictions.groupby(["seed", "fold"]).ngroup()
    right, total = _counts_by(predictions, run)
    return pandas.Series(_from_counts(right, total, name))


def interval(predictions: DataFrame, name: str = "UA") -> tuple[float, float]:
    """95 % bootstrap interval of the pooled accuracy, speakers resampled.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13 (percentiles) with whole speakers as the sampling units.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system.
    name : str
        "UA" or "WA".

    Returns
    -------
    low, high : float
        Percent; both NaN with fewer than two speakers.
    """
    right, total = _counts_by(predictions, predictions["spk_id"])
    return _percentiles(_resampled(right, total, name))


def _counts_by(predictions, groups):
    hit = predictions["emo"] == predictions["predicted"]
    return _counts(groups, predictions["emo"], hit.to_numpy())


def _counts(groups, emotions, hit):
    """Right and all utterances of each group and class, (groups, classes)."""
    group, names = pandas.factorize(groups, sort=True)
    emotion, classes = pandas.factorize(emotions, sort=True)
    shape = len(names), len(classes)
    cell = group * shape[1] + emotion
    right, total = (
        np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        for cells in (cell[hit], cell)
    )
    return right, total


def _from_counts(right, total, name="UA"):
    """Percent, (...), from counts, (..., classes).

    scikit-learn's accuracies take labels, and would have to count them again
    for each of thousands of resamples.
    """
    if name == "WA":
        return 100 * (right.sum(axis=-1) / total.sum(axis=-1))
    recalls = right / np.maximum(total, 1)  # 0 for a class that does not occur
    return 100 * (recalls.sum(axis=-1) / (total > 0).sum(axis=-1))


def _resampled(right, total, name="UA"):
    """Accuracy of each resample of speakers, (RESAMPLES,); NaN for one."""
    if len(total) < 2:
        return np.full(RESAMPLES, np.nan)
    weights = _weights(len(total))
    return _from_counts(weights @ right, weights @ total, name)


@functools.lru_cache
def _weights(speakers):
    """How often each speaker is in each resample, (RESAMPLES, speakers)."""
    random = np.random.default_rng(1986)
    counts = random.multinomial(
        speakers, np.full(speakers, 1 / speakers), size=RESAMPLES
    )
    return counts.astype(float)  # exact, and products of floats are fast


def _percentiles(values):
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


class Comparison(NamedTuple):
    """Two systems on the same utterances in the same conditions."""

    pairs: int
    first_alone: int  # right where the other is wrong
    second_alone: int
    p_value: float
    difference: float  # UA of the first minus the second, points
    low: float
    high: float


class Pairs:
    """Predictions of several systems, paired for many comparisons.

    A pair has the same seed, fold, utterance and condition.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems. Of a doubled prediction the last counts.
    """

    def __init__(self, predictions: DataFrame):
        keys = predictions.groupby(PAIRED, dropna=False, sort=False)
        row = keys.ngroup().to_numpy()
        first = np.unique(row, return_index=True)[1]
        #: The keys of each pair.
        self.rows = predictions[PAIRED].iloc[first].reset_index(drop=True)
        self._speaker, self._emotion = (
            pandas.factorize(predictions[name].iloc[first], sort=True)[0]
            for name in ("spk_id", "emo")
        )
        hit = (predictions["emo"] == predictions["predicted"]).to_numpy()
        # 1 is right, 0 is wrong, -1 is no prediction
        self._hit = {}
        for system, own in predictions.groupby("system").indices.items():
            self._hit[system] = np.full(len(first), -1)
            self._hit[system][row[own]] = hit[own]

    def compare(
        self, first: str, second: str, among: Sequence[int] | None = None
    ) -> Comparison | None:
        """McNemar's exact test and the difference in UA with its interval.

        The test takes pairs for independent, which utterances of one speaker
        are not; the interval does not.

        Source: McNemar, "Note on the sampling error of the difference between
        correlated proportions or percentages", Psychometrika 12, 1947; exact,
        by the binomial distribution of the discordant pairs.

        Arguments
        ---------
        first, second : str
            Systems.
        among : array of int, optional
            Numbers of ``rows``, e.g. those of one condition; all by default.

        Returns
        -------
        Comparison or None
            None without a common pair.
        """
        numbers = np.arange(len(self.rows)) if among is None else among
        hit, other = (self._hit[name][numbers] for name in (first, second))
        both = (hit >= 0) & (other >= 0)
        if not both.any():
            return None
        groups = self._speaker[numbers][both], self._emotion[numbers][both]
        hit, other = hit[both] == 1, other[both] == 1
        right, total = _counts(*groups, hit)
        other_right, _ = _counts(*groups, other)
        ua, other_ua = (
            _from_counts(counts.sum(axis=0), total.sum(axis=0))
            for counts in (right, other_right)
        )
        alone = int((hit & ~other).sum()), int((other & ~hit).sum())
        return Comparison(
            len(hit),
            *alone,
            mcnemar(*alone),
            float(ua - other_ua),
            *_percentiles(
                _resampled(right, total) - _resampled(other_right, total)
            ),
        )


def compare(first: DataFrame, second: DataFrame) -> Comparison | None:
    """Compare the predictions of two systems, see ``Pairs.compare``."""
    both = [first.assign(system="first"), second.assign(system="second")]
    return Pairs(pandas.concat(both)).compare("first", "second")


def mcnemar(first_alone: int, second_alone: int) -> float:
    """Two-sided p-value of McNemar's exact test.

    Arguments
    ---------
    first_alone, second_alone : int
        Discordant pairs: one is right and the other is wrong.

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


def crossings(
    snrs_db: Iterable[float], first: Iterable[float], second: Iterable[float]
) -> list[float]:
    """SNRs at which two curves cross, straight lines between the points.

    Arguments
    ---------
    snrs_db : sequence of float
        Rising, dB.
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


def reliability(predictions: DataFrame) -> DataFrame:
    """How often a prediction of some confidence is right.

    Arguments
    ---------
    predictions : pandas.DataFrame
        With a probability for each class, ``p_<emotion>``.

    Returns
    -------
    pandas.DataFrame
        ``utterances``, mean ``confidence`` and ``accuracy`` in [0, 1] for each
        of ``BINS`` bins of the winner's probability that is not empty.
    """
    confidence = predictions.filter(regex="^p_").to_numpy().max(axis=1)
    hit = predictions["emo"] == predictions["predicted"]
    table = DataFrame(
        {"confidence": confidence, "accuracy": hit.to_numpy(float)}
    )
    bins = table.groupby(np.minimum((confidence * BINS).astype(int), BINS - 1))
    return bins.mean().assign(utterances=bins.size())


def calibration_error(predictions: DataFrame) -> float:
    """Expected calibration error: how far confidence is from accuracy.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
    equation 3, with ``BINS`` bins.

    Arguments
    ---------
    predictions : pandas.DataFrame
        As in ``reliability``.

    Returns
    -------
    float
        Percentage points, in [0, 100].
    """
    bins = reliability(predictions)
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float(100 * np.average(gaps, weights=bins["utterances"]))
