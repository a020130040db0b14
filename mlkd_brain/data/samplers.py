"""Which utterances make a batch.

Authors
 * The MLKD team 2026
"""

import math

import numpy as np
from torch.utils.data import Sampler

from mlkd_brain.errors import InputError


class LengthBucketSampler(Sampler):
    """Batches whose utterances last about as long, other ones in every epoch.

    Each epoch stretches every utterance by a random factor, sorts, and cuts the
    row into batches. So a small corpus has as few batches as a large one, and
    every utterance comes exactly once an epoch, for any number of processes:
    each step gives every process a batch of its own, neighbours in length, so
    that none waits for another. SpeechBrain's ``DynamicBatchSampler`` cuts each
    bucket on its own, and its wrapper for several processes repeats batches.

    Arguments
    ---------
    durations : sequence of float
        Of each utterance, greater than 0.
    batch_size : int
        Utterances in a batch, of one process, or one fewer.
    bucket_jitter : float, optional
        Largest logarithm of the random factor: with 0.2, utterances that differ
        by up to 20 % meet at random. 0 sorts by length alone; None gives plain
        random batches.
    seed : int
        Of the order, which depends on nothing else but the epoch.
    steps_multiple : int
        The number of steps is a multiple of this, as gradient accumulation
        needs.
    rank : int
        This process, counted from 0.
    world_size : int
        Number of processes.

    Raises
    ------
    InputError
        If there are fewer utterances than a step has batches, or the spread is
        negative.

    Example
    -------
    >>> batches = LengthBucketSampler([3.0, 1.0, 3.2, 1.1], 2, 0.0, seed=1)
    >>> sorted(sorted(batch) for batch in batches)
    [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        durations,
        batch_size,
        bucket_jitter,
        seed,
        steps_multiple=1,
        rank=0,
        world_size=1,
    ):
        if bucket_jitter is not None and bucket_jitter < 0:
            raise InputError(
                f"bucket_jitter is {bucket_jitter}; it is at least 0, or null "
                "for plain random batches."
            )
        self.logarithms, self.longest = np.log(durations), max(durations)
        self.bucket_jitter = bucket_jitter
        self.seed, self.epoch = seed, 0
        self.rank, self.world_size = rank, world_size
        batches = math.ceil(len(durations) / batch_size)
        at_once = world_size * steps_multiple
        rounds = math.ceil(batches / at_once)
        if rounds * at_once > len(durations):
            rounds -= 1  # rather a batch with one utterance more than none
        self.steps = rounds * steps_multiple
        if not rounds:
            raise InputError(
                f"{len(durations)} utterances are too few for {world_size} "
                f"processes and {steps_multiple} batches to a step; use fewer "
                "processes or a smaller --grad_accumulation_factor."
            )

    def set_epoch(self, epoch):
        """Choose the epoch's order; ``Brain.fit`` does for its sampler."""
        self.epoch = epoch

    def __len__(self):
        return self.steps

    def __iter__(self):
        random = np.random.default_rng([self.seed, self.epoch])
        batches = np.array_split(
            self._row(random), self.steps * self.world_size
        )
        for step in random.permutation(self.steps):
            yield batches[step * self.world_size + self.rank].tolist()

    def _row(self, random):
        chance = random.uniform(size=len(self.logarithms))
        if self.bucket_jitter is None:
            return np.argsort(chance)
        return np.argsort(self.logarithms + self.bucket_jitter * chance)
