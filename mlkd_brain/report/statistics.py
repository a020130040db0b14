"""Accuracies of runs, with what is known of their error, and tests.

A run is one fold under one seed; its UA is one number in a condition. What a
table shows is the mean over runs, which is the paper's: the mean over folds.
Utterances of one fold share speakers and a model, so they are no independent
cases; folds are what is resampled, and seeds. Accuracies are in percent.

Authors
 * The MLKD team 2026
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from pandas import DataFrame, Series
from scipy.special import ndtr, stdtrit  # scipy.stats takes a second

RESAMPLES = 10_000
ACCURACIES = ("UA", "WA")
CONDITION_OF_RUN = ["system", "seed", "fold", "noise", "snr_db"]
BINS = 10  # of confidence, equally wide


def accuracy(predictions: DataFrame, name: str = "UA") -> float:
    """Accuracy of some predictions pooled, percent.

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
    hit = predictions["emo"] == predictions["predicted"]
    if name == "UA":
        hit = hit.groupby(predictions["emo"]).mean()
    return 100 * float(hit.mean())


def scores_of_runs(
    predictions: DataFrame, each: Sequence[str] = ()
) -> DataFrame:
    """UA and WA of each run in each condition.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of any systems, seeds, folds and conditions.
    each : list of str
        More columns, such as ``spk_id``, of which each value is scored alone.

    Returns
    -------
    pandas.DataFrame
        ``each``, ``CONDITION_OF_RUN``, ``UA`` and ``WA``, percent; in order of
        appearance.
    """
    keys = [*each, *CONDITION_OF_RUN]
    hit = 100.0 * (predictions["emo"] == predictions["predicted"])
    table = predictions[[*keys, "emo"]].assign(WA=hit)

    def means(rows, keys, name):
        return rows.groupby(keys, dropna=False, sort=False)[name].mean()

    recalls = means(table, [*keys, "emo"], "WA").rename("UA")
    ua = means(recalls.reset_index(), keys, "UA")
    wa = means(table, keys, "WA")
    return ua.reset_index().assign(WA=wa.to_numpy())


def by_run(scores: DataFrame, name: str = "UA") -> Series:
    """Each run's accuracy, the mean over the conditions that are given.

    Arguments
    ---------
    scores : pandas.DataFrame
        Of one system, from ``scores_of_runs``.
    name : str
        "UA" or "WA".

    Returns
    -------
    pandas.Series
        Percent, indexed by fold and seed.
    """
    return scores.groupby(["fold", "seed"])[name].mean()


def interval(runs: Series) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over runs.

    Folds and seeds are resampled, each with replacement: every fold was run
    with every seed, so that both are crossed. What differs between folds, or
    between seeds, is then in the interval; what is chance in single runs is in
    it up to three times, so that it is wide rather than narrow. scipy's
    bootstrap has one level. Of a few folds the plain percentiles would lie too
    close together; those that are taken instead are as much wider as Student's t
    is for that number.

    Source: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1,
    2007; percentiles: Hesterberg, "What teachers should know about the
    bootstrap", The American Statistician 69, 2015, section 4.

    Arguments
    ---------
    runs : pandas.Series
        From ``by_run``, or the difference of two.

    Returns
    -------
    low, high : float
        Percent; both NaN with fewer than two folds.

    Example
    -------
    >>> runs = DataFrame({1986: [80.0] * 10}).rename_axis("fold")
    >>> interval(runs.rename_axis(columns="seed").stack())
    (80.0, 80.0)
    """
    table = runs.unstack("seed").to_numpy()
    folds, seeds = table.shape
    if folds < 2:
        return float("nan"), float("nan")
    known = ~np.isnan(table)
    times = _times_drawn(folds, 0), _times_drawn(seeds, 1)
    total, count = (
        ((times[0] @ values) * times[1]).sum(axis=1)
        for values in (np.where(known, table, 0), known.astype(float))
    )
    # no run is known of some resamples of an unfinished study
    means = total[count > 0] / count[count > 0]
    wider = np.sqrt(folds / (folds - 1)) * stdtrit(folds - 1, 0.025)
    tail = 100 * ndtr(wider)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


@functools.lru_cache
def _times_drawn(units, axis):
    """How often each unit is in each resample, (RESAMPLES, units)."""
    random = np.random.default_rng([1986, axis, units])
    chances = np.full(units, 1 / units)
    return random.multinomial(units, chances, size=RESAMPLES).astype(float)


class Comparison(NamedTuple):
    """Two systems in the runs that both have."""

    runs: int
    difference: float  # accuracy of the first minus the second, points
    low: float
    high: float
    p_value: float


def compare(first: Series, second: Series) -> Comparison | None:
    """Difference of two systems, its interval, and whether it is chance.

    Arguments
    ---------
    first, second : pandas.Series
        From ``by_run``, in the same conditions.

    Returns
    -------
    Comparison or None
        None without a common run.
    """
    runs = (first - second).dropna()
    if runs.empty:
        return None
    return Comparison(
        len(runs), float(runs.mean()), *interval(runs), sign_flip(runs)
    )


def sign_flip(differences: Series) -> float:
    """Two-sided p-value of the paired permutation test over folds.

    If two systems are alike, which of them is the first is chance in each
    fold: signs of whole folds are flipped, all seeds of one together. Up to
    13 folds every way is counted, so that the test is exact; beyond, 10,000
    are drawn. The smallest value is 2 to the power of one minus the folds.
    scipy's ``permutation_test`` gives the same (a test holds it to that) in a
    hundred times the time, and a report has over a thousand tests. Seeds are
    not flipped: what all folds of a seed share counts as the system's.

    Source: Fisher, "The Design of Experiments", 1935, section 21.

    Arguments
    ---------
    differences : pandas.Series
        Of runs, indexed by fold and seed.

    Returns
    -------
    float
        In (0, 1]; NaN with one fold, which can tell nothing.

    Example
    -------
    Ten folds that all agree: 2 of 2 ** 10 ways are as extreme.

    >>> runs = DataFrame({1986: [1.0] * 10}).rename_axis("fold")
    >>> sign_flip(runs.rename_axis(columns="seed").stack()) == 2 / 2**10
    True
    """
    folds = differences.groupby("fold").sum().to_numpy() / len(differences)
    if len(folds) < 2:
        return float("nan")
    sums = np.abs(_signs(len(folds)) @ folds)
    # equal sums of other order differ in their last digits
    return float(np.mean(sums >= sums[0] - 1e-9))


@functools.lru_cache
def _signs(folds):
    """Ways to flip the folds, (ways, folds); the first flips none."""
    if 2**folds <= RESAMPLES:
        return np.array(list(itertools.product((1.0, -1.0), repeat=folds)))
    random = np.random.default_rng([1986, folds])
    drawn = random.choice((1.0, -1.0), (RESAMPLES, folds))
    return np.concatenate([np.ones((1, folds)), drawn])


def holm(p_values: Iterable[float]) -> np.ndarray:
    """p-values corrected for their number; NaN stays and does not count.

    Source: Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6, 1979.

    Example
    -------
    >>> holm([0.04, 0.01, 0.03]).round(2).tolist()
    [0.06, 0.03, 0.06]
    """
    values = np.array(list(p_values), float)
    order = np.argsort(values)[: np.isfinite(values).sum()]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return values


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
