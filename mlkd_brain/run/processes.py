"""The processes that train one model together (DDP).

Authors
 * The MLKD team 2026
"""

import torch.distributed as dist


def rank_and_size():
    """This process's rank, and the number of processes.

    Example
    -------
    >>> rank_and_size()  # alone
    (0, 1)
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def of_all_processes(value):
    """What each process has under this name, in order of rank.

    Arguments
    ---------
    value : object
        Can be pickled. Every process must call.

    Returns
    -------
    list
        One value a process.

    Example
    -------
    >>> of_all_processes("alone")
    ['alone']
    """
    _, size = rank_and_size()
    if size == 1:
        return [value]
    values = [None] * size
    dist.all_gather_object(values, value)
    return values


def added(numbers):
    """Sum of several dictionaries of numbers, name by name.

    Example
    -------
    >>> added([{"ce": 1.0, "kl": 0.5}, {"ce": 2.0, "kl": 0.0}])
    {'ce': 3.0, 'kl': 0.5}
    """
    return {name: sum(part[name] for part in numbers) for name in numbers[0]}
