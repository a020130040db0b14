"""Non-negative matrix factorisation under the Kullback-Leibler divergence.

A magnitude spectrogram is a sum of few spectral shapes, the atoms, each with an
activation for every frame::

    spectrogram ~ atoms @ activations      (bins, frames)

Atoms are learned by scikit-learn. With atoms that stay fixed, the activations of
all frames are found together by a handful of matrix products.

Source: Lee and Seung, "Algorithms for non-negative matrix factorization", 2000,
theorem 2.

Authors
 * The MLKD team 2026
"""

from collections.abc import Iterable

import torch
from sklearn.decomposition import NMF

# Added to every model, so that silence is no 0 / 0. With a constant part of the
# model the update stays the same, and the divergence still never rises.
FLOOR = 1e-8


def sample_frames(
    spectrograms: Iterable[torch.Tensor], count: int, seed: int
) -> torch.Tensor:
    """Random frames of many spectrograms, each frame equally likely.

    Frames of digital silence are left out. No more than twice the wanted frames
    and one spectrogram are held at a time.

    Arguments
    ---------
    spectrograms : iterable of torch.Tensor
        Magnitudes, (bins, frames) each.
    count : int
        Frames wanted; all, when there are no more.
    seed : int
        Of the sample.

    Returns
    -------
    torch.Tensor
        (bins, at most count)

    Example
    -------
    >>> sample_frames([torch.zeros(3, 5), torch.ones(3, 9)], 4, seed=0).shape
    torch.Size([3, 4])
    """
    random = torch.Generator().manual_seed(seed)
    frames, keys = [], []
    for spectrogram in spectrograms:
        frames.append(spectrogram[:, spectrogram.sum(0) > 0])
        keys.append(torch.rand(frames[-1].shape[1], generator=random))
        if sum(map(len, keys)) > 2 * count:
            frames, keys = _first(frames, keys, count)
    (frames,), _ = _first(frames, keys, count)
    return frames


def _first(frames, keys, count):
    """Those with the smallest random keys."""
    frames, keys = torch.cat(frames, dim=1), torch.cat(keys)
    kept = keys.argsort(stable=True)[:count]
    return [frames[:, kept.to(frames.device)]], [keys[kept]]


def learn_atoms(
    spectrogram: torch.Tensor, count: int, iterations: int, seed: int
) -> torch.Tensor:
    """Spectral shapes that a spectrogram is made of.

    Arguments
    ---------
    spectrogram : torch.Tensor
        Magnitudes, at least 0 and not all 0, (bins, frames).
    count : int
        Atoms wanted.
    iterations : int
        Updates of both factors.
    seed : int
        Of the random start.

    Returns
    -------
    torch.Tensor
        (bins, count), each column summing to 1.

    Example
    -------
    >>> shape = torch.tensor([[0.75], [0.25]])
    >>> learn_atoms(shape * torch.tensor([1.0, 2.0, 3.0]), 1, 10, seed=0)
    tensor([[0.7500],
            [0.2500]])
    """
    factorisation = NMF(
        count,
        init="random",
        solver="mu",
        beta_loss="kullback-leibler",
        tol=0,  # a fixed number of updates
        max_iter=iterations,
        random_state=seed,
    )
    factorisation.fit(spectrogram.T.cpu().numpy())
    atoms = torch.from_numpy(factorisation.components_.T.copy())
    return normalised(atoms.to(spectrogram))


def normalised(atoms: torch.Tensor) -> torch.Tensor:
    """Atoms whose magnitudes sum to 1 over the bins; one of zeros stays so."""
    return atoms / atoms.sum(-2, keepdim=True).clamp_min(FLOOR)


def activate(
    spectrogram: torch.Tensor, atoms: torch.Tensor, iterations: int
) -> torch.Tensor:
    """Activation of each atom in each frame; the atoms stay fixed.

    All atoms start with an equal part of their frame's magnitude. No update
    raises the divergence, and frames do not influence each other.

    Arguments
    ---------
    spectrogram : torch.Tensor
        Magnitudes, at least 0, (..., bins, frames).
    atoms : torch.Tensor
        (bins, atoms), each column summing to 1.
    iterations : int
        Updates.

    Returns
    -------
    torch.Tensor
        At least 0, (..., atoms, frames).

    Example
    -------
    Atoms that do not overlap share a frame between them:

    >>> frame = torch.tensor([[3.0], [1.0], [2.0]])
    >>> atoms = torch.tensor([[0.75, 0.0], [0.25, 0.0], [0.0, 1.0]])
    >>> activate(frame, atoms, iterations=1).squeeze()
    tensor([4., 2.])
    """
    count = atoms.shape[-1]
    total = spectrogram.sum(-2, keepdim=True)
    activations = total.expand(*total.shape[:-2], count, -1) / count
    for _ in range(iterations):
        ratio = spectrogram / (atoms @ activations + FLOOR)
        activations = activations * (atoms.mT @ ratio)
    return activations


def wiener_masks(
    speech: torch.Tensor, noise: torch.Tensor, exponent: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which part of each time-frequency point is speech, and which noise.

    Arguments
    ---------
    speech, noise : torch.Tensor
        Magnitudes of the two models, (..., bins, frames).
    exponent : float
        2 compares powers, as the Wiener filter does, 1 magnitudes.

    Returns
    -------
    speech_mask, noise_mask : torch.Tensor
        In [0, 1], summing to 1, (..., bins, frames).

    Example
    -------
    >>> wiener_masks(torch.tensor(2.0), torch.tensor(1.0), exponent=2)
    (tensor(0.8000), tensor(0.2000))
    """
    ratio = ((noise + FLOOR) / (speech + FLOOR)) ** exponent
    mask = 1 / (1 + ratio)
    return mask, 1 - mask
