"""Unweighted and weighted accuracy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkd_brain.method.metrics import unweighted_accuracy, weighted_accuracy

labels = st.lists(st.sampled_from("anhs"), min_size=1, max_size=40)


def test_ua_is_the_mean_of_recalls_and_wa_the_share_of_hits():
    references = ["a"] * 6 + ["n"] * 2 + ["s"] * 2
    decisions = ["a"] * 6 + ["n", "a"] + ["a", "a"]
    assert unweighted_accuracy(references, decisions) == pytest.approx(0.5)
    assert weighted_accuracy(references, decisions) == pytest.approx(0.7)


@given(labels, st.randoms())
def test_the_order_of_utterances_does_not_matter(references, random):
    decisions = [random.choice("anhs") for _ in references]
    pairs = list(zip(references, decisions))
    random.shuffle(pairs)
    for accuracy in (unweighted_accuracy, weighted_accuracy):
        assert accuracy(*zip(*pairs)) == pytest.approx(
            accuracy(references, decisions)
        )


@given(labels)
def test_repeating_a_class_changes_wa_and_not_ua(references):
    decisions = ["a"] * len(references)
    more = references + [r for r in references if r == "a"] * 3
    assert unweighted_accuracy(more, ["a"] * len(more)) == pytest.approx(
        unweighted_accuracy(references, decisions)
    )


def test_a_mismatch_is_named():
    with pytest.raises(ValueError, match="3 references and 2 predictions"):
        unweighted_accuracy("abc", "ab")
    with pytest.raises(ValueError, match="at least one"):
        weighted_accuracy([], [])
