"""What a training step keeps in memory.

Torch's own figure (``torch.cuda.max_memory_allocated``) is the peak so far, on a
GPU alone. To tell at the first batch what the largest one will need takes the
activations by themselves: they grow with the audio, weights and optimiser do not.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
from collections.abc import Iterable

import torch
from mlkd_brain.disk import human_size


class SavedActivations(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that a forward pass saves for its backward pass.

    Each storage counts once, weights do not.

    Arguments
    ---------
    parameters : iterable of torch.nn.Parameter
        Of the model.

    Example
    -------
    >>> layer = torch.nn.Linear(256, 256, bias=False)
    >>> inputs = torch.randn(4, 256)
    >>> with SavedActivations(layer.parameters()) as saved:
    ...     loss = layer(inputs).sum()
    >>> saved.total_bytes == inputs.numel() * 4
    True
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]):
        super().__init__(self._record, lambda tensor: tensor)
        self.weights = {p.untyped_storage().data_ptr() for p in parameters}
        self.storages: dict[int, int] = {}

    def __enter__(self):
        super().__enter__()
        return self

    def _record(self, tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.weights:
            self.storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def total_bytes(self) -> int:
        """Of what has been saved so far."""
        return sum(self.storages.values())


def free_memory() -> int:
    """Bytes of memory that no process uses, caches of files not counted.

    Example
    -------
    >>> free_memory() > 0
    True
    """
    meminfo = pathlib.Path("/proc/meminfo")
    if not meminfo.is_file():  # another system than Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def describe_memory(
    saved_bytes: float, seconds: float, largest: float, parameters
) -> str:
    """The memory of a step in words, for the log.

    Arguments
    ---------
    saved_bytes : float
        Activations that the first batch saves for its gradients.
    seconds, largest : float
        Padded audio in that batch, and in the largest, s.
    parameters : iterable of torch.nn.Parameter
        Of the model; AdamW keeps two numbers for each.

    Example
    -------
    >>> print(describe_memory(2e9, 20.0, 40.0, torch.nn.Linear(1, 1).parameters()))
    memory: the first batch, 20 s of padded audio, keeps 2.0 GB for its \
gradients, the largest, 40 s, about 4.0 GB; weights, gradients and AdamW 32 bytes
    """
    sizes = [
        p.numel() * p.element_size() * (4 if p.requires_grad else 1)
        for p in parameters
    ]
    return (
        f"memory: the first batch, {seconds:.0f} s of padded audio, keeps "
        f"{human_size(saved_bytes)} for its gradients, the largest, "
        f"{largest:.0f} s, about {human_size(saved_bytes * largest / seconds)}; "
        f"weights, gradients and AdamW {human_size(sum(sizes))}"
    )
