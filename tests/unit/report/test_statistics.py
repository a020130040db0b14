"""Means over runs, intervals, tests, calibration, against cases by hand."""

import inspect
import itertools
import math

import numpy as np
import pandas
import pytest
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.names import CLEAN
from mlkd_brain.report.results import read_predictions, unpacked
from mlkd_brain.report.statistics import (
    RESAMPLES,
    _signs,
    _times_drawn,
    accuracy,
    by_run,
    calibration_error,
    compare,
    crossings,
    holm,
    interval,
    reliability,
    scores_of_runs,
    sign_flip,
)
from mlkd_brain.report.systems import for_system
from places import REPOSITORY
from scipy.stats import false_discovery_control, norm, permutation_test, t
from sklearn.metrics import accuracy_score, recall_score


def runs(values):
    """UA of each fold (row) and seed (column)."""
    table = pandas.DataFrame(values)
    table.index.name, table.columns.name = "fold", "seed"
    return table.stack().dropna()


def by_sklearn(table, name):
    """Percent, from labels."""
    pair = table["emo"], table["predicted"]
    if name == "WA":
        return 100 * accuracy_score(*pair)
    # balanced_accuracy_score, which warns of classes that are only predicted
    classes = sorted(set(table["emo"]))
    return 100 * recall_score(*pair, labels=classes, average="macro")


labels = st.sampled_from(["ang", "hap", "neu", "sad"])
utterances = st.lists(
    st.tuples(labels, labels, st.sampled_from("abcd"), st.integers(1, 3)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(utterances)
def test_accuracies_are_those_of_scikit_learn(rows):
    own = pandas.DataFrame(rows, columns=["emo", "predicted", "spk_id", "fold"])
    own = own.assign(system="a", seed=1, noise=CLEAN, snr_db=math.nan)
    scores = scores_of_runs(own)
    for name in ("UA", "WA"):
        assert accuracy(own, name) == pytest.approx(by_sklearn(own, name))
        expected = [by_sklearn(run, name) for _, run in own.groupby("fold")]
        assert by_run(scores, name).tolist() == pytest.approx(expected)
        assert len(scores) == len(expected)
    assert accuracy(own) == accuracy(own, "UA")


def test_a_run_is_scored_in_each_condition_and_averaged_over_them():
    rows = [(CLEAN, math.nan, 2), ("hum", 0.0, 1), ("hum", 5.0, 0)]
    own = pandas.DataFrame(
        {"emo": emotion, "predicted": "ang" if right > k else "sad"}
        | {"noise": noise, "snr_db": snr, "system": "a", "seed": 1, "fold": 1}
        for noise, snr, right in rows
        for k, emotion in enumerate(("ang", "ang"))
    )
    scores = scores_of_runs(own)
    assert scores["UA"].tolist() == [100, 50, 0]
    assert scores["noise"].tolist() == [CLEAN, "hum", "hum"]
    assert by_run(scores[scores["noise"] == "hum"]).tolist() == [25]


def test_when_all_runs_are_alike_so_is_every_resample():
    assert interval(runs(np.full((4, 3), 70.0))) == (70.0, 70.0)


def test_two_opposite_folds_give_the_widest_interval():
    assert interval(runs([[100.0], [0.0]])) == (0.0, 100.0)


def test_one_fold_gives_no_interval_and_no_p():
    one = runs([[70.0, 80.0]])
    assert all(math.isnan(edge) for edge in interval(one))
    assert math.isnan(sign_flip(one))


def test_seeds_that_differ_widen_the_interval_as_folds_do():
    alike = np.linspace(60, 80, 10)[:, None] + np.zeros(3)
    by_seed = alike + np.array([-8.0, 0.0, 8.0])
    (low, high), wide = interval(runs(alike)), interval(runs(by_seed))
    assert wide[0] < low - 3 and high + 3 < wide[1]
    # with one seed nothing is known of seeds
    assert interval(runs(by_seed[:, :1])) == pytest.approx((low - 8, high - 8))


def test_an_interval_is_as_wide_as_students_for_few_folds():
    values = np.random.default_rng(1).normal(70, 5, 10)
    low, high = interval(runs(values[:, None]))
    half = 2.262 * values.std(ddof=1) / math.sqrt(10)  # t, 9 degrees
    assert high - low == pytest.approx(2 * half, rel=0.1)  # shape of the sample
    assert RESAMPLES >= 10_000


def test_the_percentiles_are_as_far_out_as_students():
    values = np.array([50.0, 55.0, 62.0, 70.0, 71.0])
    means = inspect.unwrap(_times_drawn)(5, 0) @ values / 5
    tail = 100 * norm.cdf(t.ppf(0.025, df=4) * math.sqrt(5 / 4))
    expected = np.percentile(means, [tail, 100 - tail])
    assert interval(runs(values[:, None])) == pytest.approx(tuple(expected))


def test_folds_and_seeds_are_resampled_independently():
    effect = np.array([-5.0, 0.0, 5.0])
    # drawn alike, they would take each other away
    low, high = interval(runs(np.subtract.outer(effect, effect)))
    assert low < -5 and 5 < high


def test_a_resample_of_a_single_run_counts():
    alike = np.where(np.eye(3), 60.0, math.nan)
    assert interval(runs(alike)) == (60, 60)


def test_unfinished_seeds_count_with_the_runs_that_are_there():
    known = runs([[50.0, math.nan], [60.0, 60.0], [70.0, 70.0]])
    low, high = interval(known)
    assert 50 <= low < known.mean() < high <= 70 and len(known) == 5


def test_a_difference_that_every_fold_shows_has_no_spread():
    better, worse = runs(np.full((3, 2), 75.0)), runs(np.full((3, 2), 25.0))
    tested = compare(better, worse)
    assert tested == (6, 50.0, 50.0, 50.0, 2 / 2**3)


def test_only_common_runs_are_compared():
    first, second = runs([[1.0], [2.0], [9.0]]), runs([[0.0], [1.0]])
    assert compare(first, second).runs == 2
    assert compare(first, second).difference == 1.0
    elsewhere = second.rename(index={0: 1987}, level="seed")
    assert compare(first, elsewhere) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=9),
    st.integers(1, 3),
)
def test_the_sign_flip_test_is_scipys_permutation_test(folds, seeds):
    values = runs(np.repeat(np.array(folds, float)[:, None], seeds, axis=1))
    test = permutation_test(
        (np.array(folds, float),), np.sum, permutation_type="samples"
    )
    assert sign_flip(values) == pytest.approx(test.pvalue)


def test_many_folds_are_flipped_by_chance_to_the_same_p():
    values = np.random.default_rng(0).normal(0.4, 1, 14)
    ways = np.array(list(itertools.product((1, -1), repeat=14)))
    sums = np.abs(ways @ values)
    exact = np.mean(sums >= abs(values.sum()) - 1e-9)
    # four standard errors of 10,000 draws
    error = 4 * math.sqrt(exact * (1 - exact) / RESAMPLES)
    assert sign_flip(runs(values[:, None])) == pytest.approx(exact, abs=error)


def test_many_folds_are_flipped_alike_in_every_process():
    draw = inspect.unwrap(_signs)
    assert len(draw(14)) == RESAMPLES + 1
    assert (draw(14)[0] == 1).all() and np.array_equal(draw(14), draw(14))
    # the way that flips none is counted once
    ways = sign_flip(runs(np.ones((14, 1)))) * (RESAMPLES + 1)
    assert 1 <= round(ways) <= 10 and ways == pytest.approx(round(ways))


def test_holms_correction_lies_between_none_and_bonferronis():
    p_values = [0.01, 0.04, 0.03, math.nan, 0.005]
    assert holm(p_values)[[0, 1, 2, 4]].tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    assert math.isnan(holm(p_values)[3]) and holm([]).size == 0
    known = np.array([0.01, 0.04, 0.03, 0.005])
    assert (holm(known) >= false_discovery_control(known)).all()
    assert holm([0.7, 0.8]).tolist() == [1, 1]


def rejections(pairs):
    """Share of pairs by p < 0.05, and by intervals without zero."""
    tested = [compare(*pair) for pair in pairs]
    by_p = np.mean([found.p_value < 0.05 for found in tested])
    return by_p, np.mean([not f.low <= 0 <= f.high for f in tested])


def allowed(tests):
    """5 % and two standard errors of a share that many tests find."""
    return 0.05 + 2 * math.sqrt(0.05 * 0.95 / tests)


@pytest.mark.parametrize(
    "folds, seeds, seed_sd", [(10, 1, 0), (10, 3, 0), (10, 3, 2), (5, 2, 0)]
)
def test_of_simulated_null_data_no_more_than_5_percent_is_rejected(
    folds, seeds, seed_sd
):
    random = np.random.default_rng([folds, seeds, seed_sd])
    fold, seed = (
        random.normal(0, sd, (2, 200, *shape))
        for sd, shape in ((5, (folds, 1)), (seed_sd, (1, seeds)))
    )
    both = 70 + fold + seed + random.normal(0, 5, (2, 200, folds, seeds))
    by_p, by_interval = rejections(zip(*(map(runs, own) for own in both)))
    assert by_interval <= allowed(200)
    # flips take the seeds as they are: their luck is not in p
    assert by_p <= allowed(200) + (0.03 if seed_sd else 0)
    assert folds == 5 or by_p > 0.02  # and it does reject


@pytest.mark.parametrize("name", ["report", "report_whisper"])
def test_a_system_against_itself_with_another_seed_differs_by_chance(name):
    archive = REPOSITORY / f"recipes/EmoDB/MLKD/results/{name}/runs.tar.xz"
    with unpacked(archive) as folder:
        scores = scores_of_runs(read_predictions(folder))
    noisy = scores[scores["noise"] != CLEAN]
    pairs = []
    for system in sorted(noisy["system"].unique()):
        seeds = by_run(for_system(system, noisy)).unstack("seed")
        pairs += [
            tuple(runs(seeds[[one]].to_numpy()) for one in pair)
            for pair in itertools.combinations(seeds, 2)
        ]
    assert len(pairs) == {"report": 15, "report_whisper": 10}[name]
    # McNemar's test on the same utterances of all conditions: 11 of 15
    by_p, by_interval = rejections(pairs)
    assert by_p <= allowed(len(pairs)) and by_interval <= allowed(len(pairs))


def confident(chances, hits):
    """Two classes; the winner's probability, and whether it is right."""
    emo = np.where(hits, "ang", "sad")
    return pandas.DataFrame(
        {
            "emo": emo,
            "predicted": "ang",
            "p_ang": chances,
            "p_sad": 1 - np.array(chances),
        }
    )


def test_calibration_error_by_hand():
    # bin 0.9 to 1: sure 0.95, right 1/2; bin 0.6 to 0.7: sure 0.65, right 1
    own = confident([0.95, 0.95, 0.65, 0.65], [True, False, True, True])
    assert calibration_error(own) == pytest.approx(
        100 * (0.5 * 0.45 + 0.5 * 0.35)
    )
    assert reliability(own)["utterances"].tolist() == [2, 2]


def test_bins_are_a_tenth_wide_and_weigh_as_many_as_they_hold():
    chances = [1.0, 0.97, 0.91, 0.85, 0.81]
    own = confident(chances, [True, True, True, False, True])
    bins = reliability(own)
    assert bins["utterances"].tolist() == [2, 3]
    assert bins["confidence"].tolist() == pytest.approx([0.83, 0.96])
    assert calibration_error(own) == pytest.approx((2 * 33 + 3 * 4) / 5)


def test_being_as_right_as_sure_is_no_error():
    own = confident([0.75] * 4, [True, True, True, False])
    assert calibration_error(own) == pytest.approx(0)
    assert calibration_error(confident([1.0] * 3, [True] * 3)) == 0
    assert calibration_error(confident([1.0] * 3, [False] * 3)) == 100


def test_crossings_by_hand():
    # gaps -20, +10: two thirds of the way; then +10, -10: half way
    assert crossings([0, 15, 20], [40, 70, 60], [60, 60, 70]) == [10.0, 17.5]
    assert crossings([0, 10, 20], [3, 4, 5], [1, 1, 1]) == []
    assert crossings([0, 10], [1.5, 1.5], [1, 1]) == []


def test_curves_that_touch_do_not_cross_there():
    assert crossings([0, 10, 20], [2, 1, 2], [1, 1, 1]) == []
    assert crossings([0, 10, 20], [2, 1, 0], [1, 1, 1]) == [10.0]
