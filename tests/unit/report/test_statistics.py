"""Intervals, tests, calibration and crossings, against cases worked by hand."""

import math

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from mlkd_brain.report.statistics import (
    RESAMPLES,
    _resampled,
    _weights,
    accuracies_of_runs,
    accuracy,
    calibration_error,
    compare,
    crossings,
    interval,
    mcnemar,
    reliability,
)


def table(hits, emotions=("ang", "sad"), noise="clean", snr_db=math.nan):
    """Utterances of each speaker; ``hits`` says which are right."""
    rows = []
    for speaker, right in hits.items():
        for number, hit in enumerate(right):
            emotion = emotions[number % len(emotions)]
            rows.append(
                {
                    "seed": 1986,
                    "fold": list(hits).index(speaker) + 1,
                    "ID": f"{speaker}_{number}",
                    "spk_id": speaker,
                    "noise": noise,
                    "snr_db": snr_db,
                    "emo": emotion,
                    "predicted": emotion if hit else "neu",
                }
            )
    return pandas.DataFrame(rows)


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


@given(utterances)
def test_accuracies_are_those_of_scikit_learn(rows):
    own = pandas.DataFrame(rows, columns=["emo", "predicted", "spk_id", "fold"])
    own["seed"] = 1986
    for name in ("UA", "WA"):
        assert accuracy(own, name) == pytest.approx(by_sklearn(own, name))
        runs = [by_sklearn(run, name) for _, run in own.groupby("fold")]
        assert accuracies_of_runs(own, name).tolist() == pytest.approx(runs)


def test_a_resample_has_the_accuracy_of_its_speakers_put_together():
    random = np.random.default_rng(0)
    own = table({name: random.random(20) < 0.6 for name in "abcde"})
    speakers = [part for _, part in own.groupby("spk_id")]
    own["hit"] = own["emo"] == own["predicted"]
    counts = own.groupby(["spk_id", "emo"])["hit"]
    right, total = (
        count.unstack().to_numpy() for count in (counts.sum(), counts.size())
    )
    for name in ("UA", "WA"):
        resampled = _resampled(right, total, name)
        assert resampled.shape == (RESAMPLES,)
        for value, weights in list(zip(resampled, _weights(5)))[:10]:
            parts = [
                p for p, n in zip(speakers, weights) for _ in range(int(n))
            ]
            expected = by_sklearn(pandas.concat(parts), name)
            assert value == pytest.approx(expected)


def test_when_all_is_right_so_is_every_resample():
    assert interval(table({"a": [1, 1], "b": [1, 1]})) == (100.0, 100.0)


def test_two_opposite_speakers_give_the_widest_interval():
    # drawn twice with chance 1/4 each: more than the 2.5 % beyond the ends
    assert interval(table({"a": [1, 1], "b": [0, 0]})) == (0.0, 100.0)


def test_one_speaker_gives_no_interval():
    assert all(math.isnan(edge) for edge in interval(table({"a": [1, 0]})))


def test_an_interval_resamples_speakers_and_not_utterances():
    # as many utterances in as many speakers, alike or opposite
    alike = table({name: [1, 1, 0, 0] * 10 for name in "abcdefgh"})
    opposite = table({name: [name in "abcd"] * 40 for name in "abcdefgh"})
    narrow, wide = interval(alike), interval(opposite)
    assert narrow == (50.0, 50.0)
    assert wide[0] < 20 and wide[1] > 80


def test_a_class_that_no_drawn_speaker_has_does_not_count():
    # speaker b alone has "sad": without it UA is the recall of "ang"
    hits = pandas.concat(
        [table({"a": [1, 1]}, ["ang"]), table({"b": [0, 0]}, ["sad"])]
    )
    assert interval(hits) == (0.0, 100.0)


@given(
    st.lists(
        st.lists(st.booleans(), min_size=3, max_size=6), min_size=2, max_size=5
    )
)
def test_the_pooled_accuracy_lies_within_its_interval_for_equal_parts(hits):
    shortest = min(map(len, hits))
    own = table({str(i): right[:shortest] for i, right in enumerate(hits)})
    for name in ("UA", "WA"):
        low, high = interval(own, name)
        assert low - 1e-9 <= accuracy(own, name) <= high + 1e-9


def test_a_difference_that_every_speaker_shows_has_no_spread():
    better = table({"a": [1, 1, 1, 1], "b": [1, 1, 1, 1], "c": [1, 1, 1, 1]})
    worse = table({"a": [1, 1, 0, 0], "b": [0, 0, 1, 1], "c": [1, 1, 0, 0]})
    tested = compare(better, worse)
    assert (tested.low, tested.high) == (50.0, 50.0)


def test_mcnemar_by_hand():
    # two tails of a fair coin: 2 * (C(6, 0) + C(6, 1)) / 2 ** 6
    assert mcnemar(5, 1) == mcnemar(1, 5) == pytest.approx(14 / 64)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0


def test_only_discordant_pairs_speak_in_a_comparison():
    first = table({"a": [1, 1, 1, 1], "b": [1, 1, 0, 0]})
    second = table({"a": [1, 0, 0, 0], "b": [0, 0, 0, 1]})
    tested = compare(first, second)
    assert (tested.pairs, tested.first_alone, tested.second_alone) == (8, 5, 1)
    assert tested.p_value == pytest.approx(14 / 64)
    assert tested.difference == pytest.approx(50.0)  # 6 against 2 of 8


def test_pairs_have_the_same_seed_fold_utterance_and_condition():
    first = table({"a": [1, 1], "b": [1, 1]})
    assert compare(first, first.assign(seed=1987)) is None
    noisy = table({"a": [1, 1]}, noise="volvo", snr_db=5.0)
    both = pandas.concat([first, noisy])
    assert compare(both, noisy).pairs == 2
    assert compare(both, both.iloc[::-1]).pairs == 6  # clean has no SNR: NaN


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


def test_being_as_right_as_sure_is_no_error():
    own = confident([0.75] * 4, [True, True, True, False])
    assert calibration_error(own) == pytest.approx(0)
    assert calibration_error(confident([1.0] * 3, [True] * 3)) == 0
    assert calibration_error(confident([1.0] * 3, [False] * 3)) == 100


def test_crossings_by_hand():
    # gaps -20, +10: two thirds of the way; then +10, -10: half way
    assert crossings([0, 15, 20], [40, 70, 60], [60, 60, 70]) == [10.0, 17.5]
    assert crossings([0, 10, 20], [3, 4, 5], [1, 1, 1]) == []


def test_curves_that_touch_do_not_cross_there():
    assert crossings([0, 10, 20], [2, 1, 2], [1, 1, 1]) == []
    assert crossings([0, 10, 20], [2, 1, 0], [1, 1, 1]) == [10.0]
