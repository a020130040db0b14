"""Dropout that depends on (seed, epoch, step) alone.

Noise and batch order depend on the seed and the epoch, never on what was drawn
before; so does dropout, once torch's generators are seeded anew in each step.
Then a run that was killed goes on with the very masks that it would have had,
without a generator's state in its checkpoint: on CPU and GPU, for any number of
processes, and with checkpoints of earlier versions. Nothing else in a training
step draws a random number; the workers of a loader draw none.

Authors
 * The MLKD team 2026
"""

import numpy as np
import torch


def seed_step(seed: int, epoch: int, step: int, rank: int = 0) -> None:
    """Seed torch's generators, of every device, for one step.

    Arguments
    ---------
    seed, epoch, step : int
        Of the run; at least 0.
    rank : int
        This process; those that train together have other masks.

    Example
    -------
    >>> seed_step(1986, epoch=2, step=7)
    >>> first = torch.rand(3)
    >>> _ = torch.rand(100)  # whatever was drawn meanwhile
    >>> seed_step(1986, epoch=2, step=7)
    >>> torch.equal(torch.rand(3), first)
    True
    >>> seed_step(1986, epoch=2, step=8)
    >>> torch.equal(torch.rand(3), first)
    False
    """
    # a hash that NumPy promises never to change
    sequence = np.random.SeedSequence([seed, epoch, step, rank])
    torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
