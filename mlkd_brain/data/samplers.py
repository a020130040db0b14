"""Which utterances make a batch.

Authors
 * The MLKD team 2026
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from mlkd_brain.errors import InputError
from torch.utils.data import Sampler


class LengthBucketSampler(Sampler):
    """Batches of utterances of similar length, other batches in every epoch.

    Each epoch multiplies every duration by a random factor, sorts, and cuts the
    order into batches. Without ``labels`` every utterance comes exactly once an
    epoch, for any number of processes; in each step the processes get batches of similar length,
    so that none waits for another. SpeechBrain's ``DynamicBatchSampler`` cuts each
    bucket on its own, so that a small corpus has many small batches, and its
    wrapper for several processes repeats batches.

    Arguments
    ---------
    durations : sequence of float
        Of each utterance, s, greater than 0.
    batch_size : int
        Utterances in a batch of one process, or one fewer.
    bucket_jitter : float, optional
        Largest logarithm of the random factor: with 0.2, utterances that differ
        by up to 20 % share a batch at random. 0 sorts by length alone; None gives
        plain random batches.
    seed : int
        The order depends on it and on the epoch alone.
    steps_multiple : int
        The number of steps is a multiple of this, for gradient accumulation.
    rank, world_size : int
        This process, counted from 0, and the number of processes.
    labels : sequence, optional
        Of each utterance. An epoch then has as many utterances as before, and
        the same number of each label: those of a rare label come several times,
        those of a frequent one in turns. Without those of ``spare``.
    spare, drawn : int
        Of the last ``spare`` utterances an epoch has ``drawn``, drawn anew, and
        each batch about the same number of them.

    Raises
    ------
    InputError
        If there are fewer utterances than a step has batches, or the jitter is
        negative.

    Example
    -------
    >>> batches = LengthBucketSampler([3.0, 1.0, 3.2, 1.1], 2, 0.0, seed=1)
    >>> sorted(sorted(batch) for batch in batches)
    [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        durations: Sequence[float],
        batch_size: int,
        bucket_jitter: float | None,
        seed: int,
        steps_multiple: int = 1,
        rank: int = 0,
        world_size: int = 1,
        labels: Sequence | None = None,
        spare: int = 0,
        drawn: int = 0,
    ):
        if bucket_jitter is not None and bucket_jitter < 0:
            raise InputError(
                f"bucket_jitter is {bucket_jitter}; it is at least 0, or null "
                "for plain random batches."
            )
        self.logarithms, self.longest = np.log(durations), max(durations)
        self.bucket_jitter = bucket_jitter
        self.seed, self.epoch = seed, 0
        self.by_label = None
        if labels is not None:
            _, index = np.unique(np.asarray(labels), return_inverse=True)
            self.by_label = [np.flatnonzero(index == i) for i in set(index)]
        self.rank, self.world_size = rank, world_size
        self.always = len(durations) - spare
        self.spare, self.drawn = np.arange(self.always, len(durations)), drawn
        total = self.always + drawn
        batches = math.ceil(total / batch_size)
        together = world_size * steps_multiple
        rounds = math.ceil(batches / together)
        # larger batches, as otherwise some would lack what is not spare
        rounds = min(rounds, self.always // together)
        self.steps = rounds * steps_multiple
        if not rounds:
            raise InputError(
                f"{total} utterances are too few for {world_size} "
                f"processes and {steps_multiple} batches to a step; use fewer "
                "processes or a smaller --grad_accumulation_factor."
            )

        self.mean_size = total / (self.steps * world_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; ``Brain.fit`` calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = self._sorted(self._chosen(random), random)
        batches = self._cut(order, random)
        if self.drawn:
            spare = random.permutation(self.spare)[: self.drawn]
            others = self._cut(self._sorted(spare, random), random)
            batches = list(map(np.concatenate, zip(batches, others)))
        for step in random.permutation(self.steps):
            yield batches[step * self.world_size + self.rank].tolist()

    def _cut(self, order, random):
        """The order in as many parts as there are batches."""
        count = self.steps * self.world_size
        sizes = np.full(count, len(order) // count)
        sizes[: len(order) % count] += 1
        # in any order: else the larger ones would always hold short utterances
        return np.split(order, np.cumsum(random.permutation(sizes))[:-1])

    def _sorted(self, chosen, random):
        """By lengths that a random factor has changed."""
        noise = random.uniform(size=len(chosen))
        if self.bucket_jitter is None:
            return chosen[np.argsort(noise)]
        jittered = self.logarithms[chosen] + self.bucket_jitter * noise
        return chosen[np.argsort(jittered)]

    def _chosen(self, random):
        """Those that are not spare: every one, or as many of each label."""
        if self.by_label is None:
            return np.arange(self.always)
        counts = np.full(len(self.by_label), self.always // len(self.by_label))
        counts[: self.always % len(self.by_label)] += 1
        # np.resize goes round: nobody comes twice before all have come
        return np.concatenate(
            [
                np.resize(random.permutation(own), count)
                for own, count in zip(self.by_label, random.permutation(counts))
            ]
        )
