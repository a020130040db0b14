"""The learning rate of each step: constant, or up and then down.

Authors
 * The MLKD team 2026
"""

import torch
from speechbrain.nnet.schedulers import LinearWarmupScheduler


class LearningRate:
    """A learning rate that depends on the step alone, as a resumed run needs.

    Arguments
    ---------
    peak : float
        Highest value.
    warmup_share : float, optional
        Fraction of all steps in which it rises from 0 to the peak, in [0, 1);
        in the others it falls to 0. Without it the rate is constant.

    Example
    -------
    >>> rate = LearningRate(peak=1.0, warmup_share=0.2)
    >>> [rate.at(step, steps=10) for step in (1, 2, 6, 10)]
    [0.5, 1.0, 0.5, 0.0]
    >>> LearningRate(peak=1.0).at(9, steps=10)
    1.0
    """

    def __init__(self, peak: float, warmup_share: float | None = None):
        self.peak, self.warmup_share = peak, warmup_share

    def at(self, step: int, steps: int) -> float:
        """Rate of a step, counted from 1, among all steps."""
        if self.warmup_share is None:
            return self.peak
        warmup = round(self.warmup_share * steps)
        schedule = LinearWarmupScheduler(self.peak, warmup, steps)
        return schedule.calculate_lr(step)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of all parameter groups, in place.

    SpeechBrain's ``update_learning_rate`` also writes a line to the log at every
    change, which is every step.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
