"""How much of the gradient each term of an objective gives.

Authors
 * The MLKD team 2026
"""

from collections.abc import Iterable

import torch


def gradient_norms(
    terms: dict[str, torch.Tensor], parameters: Iterable[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Euclidean norm of each term's gradient; the graph is kept.

    Arguments
    ---------
    terms : dict
        Name to value, each ().
    parameters : iterable of torch.Tensor
        Those without ``requires_grad`` are left out.

    Returns
    -------
    dict
        Name to norm, each () on the terms' device.

    Example
    -------
    >>> weight = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> terms = {"half": weight.square().sum() / 2, "none": torch.tensor(1.0)}
    >>> {name: n.item() for name, n in gradient_norms(terms, [weight]).items()}
    {'half': 5.0, 'none': 0.0}
    """
    learned = [p for p in parameters if p.requires_grad]
    return {name: _norm(term, learned) for name, term in terms.items()}


def _norm(term, parameters):
    if not term.requires_grad:
        return torch.zeros_like(term)
    gradients = torch.autograd.grad(
        term, parameters, retain_graph=True, allow_unused=True
    )
    return torch.nn.utils.get_total_norm(g for g in gradients if g is not None)


def shares(norms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each norm as a fraction of their sum.

    Arguments
    ---------
    norms : dict
        As ``gradient_norms`` gives them.

    Returns
    -------
    dict
        Name to fraction in [0, 1].

    Example
    -------
    >>> norms = {"ce": torch.tensor(1.0), "mse": torch.tensor(3.0)}
    >>> {name: share.item() for name, share in shares(norms).items()}
    {'ce': 0.25, 'mse': 0.75}
    """
    total = torch.stack([*norms.values()]).sum().clamp(min=1e-30)
    return {name: norm / total for name, norm in norms.items()}
