"""The processes that train one model together (DDP).

SpeechBrain broadcasts and reduces tensors; it has neither the number of
processes nor a gathering of Python objects.

Authors
 * The MLKD team 2026
"""

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist

from speechbrain.utils.distributed import is_distributed_initialized


def rank_and_size() -> tuple[int, int]:
    """This process's rank, and the number of processes.

    Example
    -------
    >>> rank_and_size()  # alone
    (0, 1)
    """
    if is_distributed_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def gather(value: Any) -> list:
    """This value of every process, in order of rank; each of them must call.

    Example
    -------
    >>> gather("alone")
    ['alone']
    """
    if not is_distributed_initialized():
        return [value]
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def sum_by_name(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Sum of several dictionaries with the same names.

    Example
    -------
    >>> sum_by_name([{"ce": 1.0, "kl": 0.5}, {"ce": 2.0, "kl": 0.0}])
    {'ce': 3.0, 'kl': 0.5}
    """
    return {name: sum(part[name] for part in parts) for name in parts[0]}
