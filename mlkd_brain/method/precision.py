"""What stays in float32 when training runs in bfloat16 (``--precision bf16``).

Autocast computes products and convolutions in bfloat16. The losses and the
logits are computed in float32 where they are defined, and so is the softmax of
scaled-dot-product attention. Norms are in float32 on a GPU; on a CPU autocast
computes them in their input's type, which is changed here.

Authors
 * The MLKD team 2026
"""

import torch

NORMS = (torch.nn.LayerNorm, torch.nn.GroupNorm)


def keep_norms_in_float32(model: torch.nn.Module) -> None:
    """Have every layer norm and group norm of a model compute in float32.

    Arguments
    ---------
    model : torch.nn.Module
        Changed in place.

    Example
    -------
    >>> norm = torch.nn.LayerNorm(2)
    >>> keep_norms_in_float32(norm)
    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     norm(torch.zeros(1, 2, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    for module in model.modules():
        if isinstance(module, NORMS):
            module.register_forward_pre_hook(_to_float32)


def _to_float32(norm, inputs):
    return tuple(hidden.float() for hidden in inputs)
