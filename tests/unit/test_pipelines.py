"""Batches: every utterance once an epoch, in an order of seed and epoch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speechbrain.dataio.dataset import DynamicItemDataset

from mlkd_brain.pipelines import batches_of_like_length


def dataset(durations):
    return DynamicItemDataset(
        {f"u{i}": {"duration": d} for i, d in enumerate(durations)}
    )


def epoch_of(sampler, epoch):
    sampler.set_epoch(epoch)
    return [list(batch) for batch in sampler]


@settings(max_examples=40)
@given(
    st.lists(st.floats(0.5, 34), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_every_utterance_comes_once_and_no_batch_is_too_large(
    durations, batch_size, buckets, epoch
):
    sampler = batches_of_like_length(
        dataset(durations), batch_size, buckets, seed=3
    )
    batches = epoch_of(sampler, epoch)
    assert sorted(sum(batches, [])) == list(range(len(durations)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)


def test_the_order_depends_on_seed_and_epoch_alone():
    durations = np.linspace(1, 9, 80)
    first, again, other = (
        batches_of_like_length(dataset(durations), 8, 4, seed)
        for seed in (1, 1, 2)
    )
    epoch_of(again, 7)  # what came before does not matter
    assert epoch_of(first, 3) == epoch_of(again, 3)
    assert epoch_of(first, 3) != epoch_of(first, 4)
    assert epoch_of(first, 3) != epoch_of(other, 3)


def test_buckets_save_padding():
    durations = np.random.default_rng(0).lognormal(1.3, 0.6, 400)

    def padding(buckets):
        batches = epoch_of(
            batches_of_like_length(dataset(durations), 8, buckets, seed=1), 1
        )
        padded = sum(durations[b].max() * len(b) for b in batches)
        return padded / durations.sum()

    assert padding(1) > 1.7
    assert padding(5) < 1.35
    assert padding(10) < padding(5) == pytest.approx(1.25, abs=0.1)
