"""The learning rate of each step: up, and then along a shape.

Authors
 * The MLKD team 2026
"""

import math

import torch
from mlkd_brain.errors import InputError

#: Share of the peak, by the share of the steps after the rise that is left.
SHAPES = {
    "constant": lambda left: 1.0,
    "linear": lambda left: left,
    "cosine": lambda left: (1 - math.cos(math.pi * left)) / 2,
}


class LearningRate:
    """A learning rate that depends on the step alone, as a resumed run needs.

    Arguments
    ---------
    peak : float
        Highest value.
    warmup_share : float, optional
        Fraction of all steps in which it rises from 0 to the peak, in [0, 1);
        without it the first step has the peak.
    shape : str, optional
        After the rise: "constant", or "linear" or "cosine" to 0 at the last
        step. By default linear after a rise, and else constant.

    Raises
    ------
    InputError
        If there is no such shape.

    Example
    -------
    >>> rate = LearningRate(peak=1.0, warmup_share=0.2)
    >>> [rate.at(step, steps=10) for step in (1, 2, 6, 10)]
    [0.5, 1.0, 0.5, 0.0]
    >>> LearningRate(peak=1.0).at(9, steps=10)
    1.0
    >>> round(LearningRate(peak=1.0, shape="cosine").at(5, steps=10), 6)
    0.5
    """

    def __init__(
        self,
        peak: float,
        warmup_share: float | None = None,
        shape: str | None = None,
    ):
        shape = shape or ("constant" if warmup_share is None else "linear")
        if shape not in SHAPES:
            raise InputError(
                f"Bad value '{shape}' for lr_schedule, expected one of "
                f"{list(SHAPES)}."
            )
        self.peak, self.warmup_share = peak, warmup_share
        self.shape = SHAPES[shape]
        self.is_constant = shape == "constant" and not warmup_share

    def at(self, step: int, steps: int) -> float:
        """Rate of a step, counted from 1, among all steps."""
        if self.is_constant:
            return self.peak
        warmup = round((self.warmup_share or 0.0) * steps)
        if step < warmup:
            return self.peak * step / warmup
        return self.peak * self.shape((steps - step) / max(1, steps - warmup))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of all parameter groups, in place.

    SpeechBrain's ``update_learning_rate`` also writes a line to the log at every
    change, which is every step.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
