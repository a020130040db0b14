"""Batches: every utterance once an epoch, in an order of seed and epoch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.errors import InputError

from bench.lengths import iemocap_like

SPREADS = st.one_of(st.none(), st.floats(0, 1))


def epoch_of(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def padding(durations, spread, epochs=3):
    sampler = LengthBucketSampler(durations, 8, spread, seed=1)
    batches = sum((epoch_of(sampler, e) for e in range(epochs)), [])
    padded = sum(durations[b].max() * len(b) for b in batches)
    return padded / durations.sum() / epochs


@settings(max_examples=60)
@given(
    st.lists(st.floats(0.5, 34), min_size=12, max_size=60),
    st.integers(1, 9),
    SPREADS,
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 5),
)
def test_every_utterance_comes_once_for_any_number_of_processes(
    durations, batch_size, spread, processes, multiple, epoch
):
    samplers = [
        LengthBucketSampler(
            durations, batch_size, spread, 3, multiple, rank, processes
        )
        for rank in range(processes)
    ]
    shares = [epoch_of(sampler, epoch) for sampler in samplers]
    indices = [index for share in shares for batch in share for index in batch]
    assert sorted(indices) == list(range(len(durations)))
    # none waits for another at the end, and no gradient is left over
    (steps,) = {len(share) for share in shares}
    assert steps % multiple == 0 and steps == len(samplers[0])
    mean_size = len(durations) / (steps * processes)
    assert samplers[0].mean_size == pytest.approx(mean_size)
    sizes = {len(batch) for share in shares for batch in share}
    assert 1 <= min(sizes) and max(sizes) <= max(2, batch_size)
    assert max(sizes) - min(sizes) <= 1


def test_a_batch_has_eight_utterances_on_average():
    durations = iemocap_like()
    batches = epoch_of(LengthBucketSampler(durations, 8, 0.2, seed=1), 1)
    assert np.mean([len(b) for b in batches]) == pytest.approx(8, abs=0.02)


def test_a_batch_size_of_one_gives_every_utterance_its_own_batch():
    batches = epoch_of(LengthBucketSampler([1.0] * 5, 1, 0.2, seed=1), 1)
    assert [len(batch) for batch in batches] == [1] * 5


def test_steps_are_for_one_process_that_does_not_accumulate_unless_told():
    batches = epoch_of(LengthBucketSampler([1.0] * 24, 8, 0.2, seed=1), 1)
    assert [len(batch) for batch in batches] == [8, 8, 8]


def test_the_order_depends_on_seed_and_epoch_alone():
    durations = np.linspace(1, 9, 80)
    first, again, other = (
        LengthBucketSampler(durations, 8, 0.2, seed) for seed in (1, 1, 2)
    )
    assert list(first) == epoch_of(again, 0)  # before an epoch is chosen
    epoch_of(again, 7)  # what came before does not matter
    assert epoch_of(first, 3) == epoch_of(again, 3)
    assert epoch_of(first, 3) != epoch_of(first, 4)
    assert epoch_of(first, 3) != epoch_of(other, 3)


def test_a_tenth_of_iemocap_is_padded_instead_of_more_than_its_length():
    durations = iemocap_like()
    assert durations.mean() == pytest.approx(4.55, abs=0.1)
    assert padding(durations, None) > 2
    assert padding(durations, 0.2) < 1.10
    assert padding(durations, 0.0) < padding(durations, 0.1)


def test_an_utterance_meets_others_in_another_epoch():
    durations = iemocap_like(1000)
    sampler = LengthBucketSampler(durations, 8, 0.2, seed=1)
    partners = [
        set(batch)
        for epoch in range(20)
        for batch in epoch_of(sampler, epoch)
        if 500 in batch
    ]
    assert len(partners) == 20
    assert len(set.union(*partners)) > 60


def test_lengths_decide_the_batch_but_not_when_it_comes():
    durations = iemocap_like(800)
    sampler = LengthBucketSampler(durations, 8, 0.2, seed=1)
    means = [durations[batch].mean() for batch in epoch_of(sampler, 1)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_processes_get_batches_of_similar_length_in_one_step():
    durations = iemocap_like(800)
    shares = [
        epoch_of(LengthBucketSampler(durations, 8, 0.2, 1, 1, rank, 2), 1)
        for rank in (0, 1)
    ]
    ratios = [
        max(durations[a].max(), durations[b].max())
        / min(durations[a].max(), durations[b].max())
        for a, b in zip(*shares)
    ]
    assert np.median(ratios) < 1.1


def test_what_cannot_be_is_refused():
    message = (
        "3 utterances are too few for 4 processes and 1 batches to a step; use "
        "fewer processes or a smaller --grad_accumulation_factor"
    )
    with pytest.raises(InputError, match=message):
        LengthBucketSampler([1.0] * 3, 8, 0.2, 1, rank=0, world_size=4)
    message = "jitter is -0.1; it is at least 0, or null for plain random bat"
    with pytest.raises(InputError, match=message):
        LengthBucketSampler([1.0], 8, -0.1, 1)


@pytest.mark.parametrize(
    ("utterances", "batch_size", "processes", "accumulation"),
    [
        (300, 8, 1, 1),
        (339, 4, 1, 2),
        (100, 8, 2, 1),
        (53, 4, 2, 4),
    ],
)
def test_every_utterance_weighs_the_same_in_the_gradient(
    utterances, batch_size, processes, accumulation
):
    """By the sizes of its batches alone; ``mean_size`` makes it exact."""
    samplers = [
        LengthBucketSampler(
            *(np.linspace(1, 9, utterances), batch_size, 0.2, 1),
            *(accumulation, rank, processes),
        )
        for rank in range(processes)
    ]
    weights = np.zeros(utterances)
    for epoch in range(1000):
        for sampler in samplers:
            for batch in epoch_of(sampler, epoch):
                weights[batch] += 1 / len(batch)
    tenths = [part.mean() for part in np.array_split(weights, 7)]
    assert tenths / weights.mean() == pytest.approx(np.ones(7), abs=0.01)


@pytest.mark.parametrize(
    "labels", [[0] * 20 + [1] * 3 + [2] * 7, "aab" * 10, "aab" * 10 + "cc"]
)
def test_balanced_batches_have_as_many_of_each_label(labels):
    durations = np.random.default_rng(0).uniform(1, 5, len(labels))
    sampler = LengthBucketSampler(durations, 4, 0.2, seed=1, labels=[*labels])
    seen = set()
    for epoch in range(1, 9):
        sampler.set_epoch(epoch)
        drawn = [index for batch in sampler for index in batch]
        assert len(drawn) == len(labels)
        counts = Counter(labels[index] for index in drawn)
        assert max(counts.values()) - min(counts.values()) <= 1
        repeats = Counter(drawn)
        for label in set(labels):  # nobody comes twice before all have come
            own = [repeats[i] for i, name in enumerate(labels) if name == label]
            assert max(own) - min(own) <= 1
        seen |= set(drawn)
    assert seen == set(range(len(labels)))


def test_balanced_batches_are_shared_among_processes():
    labels, durations = [0] * 12 + [1] * 4, [1.0] * 16
    both = [
        LengthBucketSampler(durations, 4, 0.2, 1, 1, rank, 2, labels)
        for rank in range(2)
    ]
    alone = LengthBucketSampler(durations, 4, 0.2, 1, 2, labels=labels)
    shared = sorted(i for sampler in both for batch in sampler for i in batch)
    assert shared == sorted(i for batch in alone for i in batch)


def test_steps_are_no_more_than_the_batches_need():
    # 100 utterances by 8 are 13 batches; 4 of them make a step of 2 processes
    options = {"steps_multiple": 2, "world_size": 2, "seed": 1}
    sampler = LengthBucketSampler(range(1, 101), 8, 0.2, **options)
    assert len(sampler) == 8 and sampler.mean_size == 100 / 16
