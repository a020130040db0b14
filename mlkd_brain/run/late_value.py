"""Numbers that a GPU computes, read without waiting for them.

Authors
 * The MLKD team 2026
"""

import torch


class LateValue:
    """Gives the number of the step before in exchange for that of this step.

    On a GPU the number of this step is still to be computed when Python asks for
    it; that of the step before is there. On a CPU nothing is late.

    Example
    -------
    >>> late = LateValue()
    >>> late.exchange(torch.tensor(1.0)), late.exchange(torch.tensor(2.0))
    (tensor(1.), tensor(2.))
    """

    def __init__(self):
        self.pending = None

    def exchange(self, value: torch.Tensor) -> torch.Tensor:
        """Hand in a number, (); the first time it is waited for.

        Arguments
        ---------
        value : torch.Tensor
            Without gradient, on any device.

        Returns
        -------
        torch.Tensor
            (), on the CPU.
        """
        if value.device.type != "cuda":
            return value.cpu()
        copy = torch.empty((), dtype=value.dtype, pin_memory=True)
        copy.copy_(value, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        before = self.pending or (copy, copied)
        self.pending = copy, copied
        before[1].synchronize()
        return before[0]
