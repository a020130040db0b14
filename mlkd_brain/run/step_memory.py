"""What a training step keeps in memory.

Authors
 * The MLKD team 2026
"""

import torch


class SavedActivations(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that a forward pass keeps for its backward pass.

    On any device: it watches what autograd saves, each storage once. Weights
    are not counted.

    Arguments
    ---------
    parameters : iterable of torch.nn.Parameter
        Of the model.

    Example
    -------
    >>> layer = torch.nn.Linear(256, 256, bias=False)
    >>> inputs = torch.randn(4, 256)
    >>> with SavedActivations(layer.parameters()) as kept:
    ...     loss = layer(inputs).sum()
    >>> kept.bytes == inputs.numel() * 4
    True
    """

    def __init__(self, parameters):
        super().__init__(self._note, lambda tensor: tensor)
        self.weights = {p.untyped_storage().data_ptr() for p in parameters}
        self.storages = {}

    def __enter__(self):
        super().__enter__()
        return self

    def _note(self, tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.weights:
            self.storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self):
        """What has been kept so far."""
        return sum(self.storages.values())


def memory_of_training(kept, batch, longest, parameters):
    """The memory of a step in words, for the log.

    Arguments
    ---------
    kept : int
        Bytes that ``batch`` keeps for its gradients.
    batch : float
        Seconds of audio in that batch, padded.
    longest : float
        Seconds of audio in the largest batch, padded.
    parameters : iterable of torch.nn.Parameter
        Of the model.

    Returns
    -------
    str
        Activations grow as the seconds do; AdamW has two numbers a weight.

    Example
    -------
    >>> print(memory_of_training(2e9, 20.0, 40.0, torch.nn.Linear(1, 1).parameters()))
    memory: the first batch, 20 s of padded audio, keeps 2.00 GB for its \
gradients, the largest, 40 s, about 4.00 GB; weights, gradients and AdamW 0.00 GB
    """
    sizes = [
        p.numel() * p.element_size() * (4 if p.requires_grad else 1)
        for p in parameters
    ]
    return (
        f"memory: the first batch, {batch:.0f} s of padded audio, keeps "
        f"{kept / 1e9:.2f} GB for its gradients, the largest, {longest:.0f} s, "
        f"about {kept / 1e9 * longest / batch:.2f} GB; weights, gradients and "
        f"AdamW {sum(sizes) / 1e9:.2f} GB"
    )
