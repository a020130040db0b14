"""Heads that predict properties of clean speech from its distorted version.

Each head reads the hidden states of a distorted crop; its targets are computed
from the *clean* crop, without labels. Source: PASE+ (Ravanelli et al., ICASSP
2020, https://arxiv.org/abs/2001.09239) for the regressions, HuBERT (Hsu et al.,
2021, https://arxiv.org/abs/2106.07447) for the clusters.

Authors
 * The MLKD team 2026
"""

import torch
import torch.nn.functional as F
from mlkd_brain.data.descriptors import functionals
from mlkd_brain.errors import InputError
from mlkd_brain.method.padding import mean_over_frames

N_FUNCTIONALS = 6


class Standardiser(torch.nn.Module):
    """Zero mean and unit variance over a sample of the corpus; keeps NaN.

    Arguments
    ---------
    size : int
        Values of a row.

    Example
    -------
    >>> scale = Standardiser(1)
    >>> scale.measure(torch.tensor([[1.0], [3.0], [torch.nan]]))
    >>> scale(torch.tensor([3.0]))
    tensor([1.])
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def measure(self, rows: torch.Tensor) -> None:
        """Take mean and standard deviation from rows, (count, size)."""
        self.mean.copy_(rows.nanmean(0))
        squares = (rows - self.mean).square().nanmean(0)
        self.deviation.copy_(squares.sqrt().clamp(min=1e-4))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Standardise values, (..., size)."""
        return (values - self.mean) / self.deviation


class FrameRegression(torch.nn.Module):
    """Predict the descriptors of each frame.

    Arguments
    ---------
    hidden_size : int
        Features of a hidden state.
    descriptors : int
        Values to predict for a hidden state.
    block : int or None
        Transformer block to predict from, counted from 1; None: the encoder's
        output, which is the last block's, normalised.

    Example
    -------
    >>> head = FrameRegression(hidden_size=8, descriptors=3, block=2)
    >>> hidden, frame_mask = torch.zeros(1, 5, 8), torch.ones(1, 5).bool()
    >>> with torch.no_grad():
    ...     target = head.predict(hidden)
    >>> head(hidden, target, frame_mask).item()
    0.0
    """

    def __init__(
        self, hidden_size: int, descriptors: int, block: int | None
    ) -> None:
        super().__init__()
        self.block = block
        self.predict = torch.nn.Linear(hidden_size, descriptors)

    def forward(
        self,
        hidden: torch.Tensor,
        target: torch.Tensor,
        frame_mask: torch.Tensor,
        masked: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Smooth L1 distance over valid frames, (); NaN targets are left out.

        Arguments
        ---------
        hidden : torch.Tensor
            (batch, frames, features)
        target : torch.Tensor
            Standardised descriptors, (batch, frames, descriptors).
        frame_mask : torch.Tensor
            True on valid frames, (batch, frames).
        masked : torch.Tensor, optional
            Not used: distorted and masked frames count alike.
        """
        known = frame_mask[..., None] & ~target.isnan()
        return F.smooth_l1_loss(
            self.predict(hidden).float()[known], target[known]
        )


class UtteranceRegression(FrameRegression):
    """Predict the functionals of the descriptors from the mean over frames.

    A linear classifier on mean hidden states can only use what that mean holds:
    this head has the encoder put spread and change of the descriptors into it.

    Arguments
    ---------
    hidden_size, descriptors, block
        As in ``FrameRegression``.
    """

    def __init__(
        self, hidden_size: int, descriptors: int, block: int | None
    ) -> None:
        super().__init__(hidden_size, N_FUNCTIONALS * descriptors, block)
        self.scale = Standardiser(N_FUNCTIONALS * descriptors)

    def measure(self, targets: list[torch.Tensor]) -> None:
        """Take the functionals' scale from some crops.

        Arguments
        ---------
        targets : list of torch.Tensor
            Standardised descriptors of a crop each, (1, frames, descriptors).
        """
        statistics = [
            functionals(crop, torch.ones_like(crop[..., 0]).bool())
            for crop in targets
        ]
        self.scale.measure(torch.cat(statistics))

    def forward(self, hidden, target, frame_mask, masked=None):
        """Smooth L1 distance to the functionals; as in ``FrameRegression``."""
        pooled = mean_over_frames(hidden, frame_mask)
        statistics = self.scale(functionals(target, frame_mask))
        every = torch.ones_like(statistics[:, 0]).bool()
        return super().forward(pooled, statistics, every)


class ClusterPrediction(torch.nn.Module):
    """Predict the cluster of masked frames, as HuBERT's first iteration does.

    Arguments
    ---------
    hidden_size, block
        As in ``FrameRegression``.
    descriptors : int
        Descriptors of a frame, that are clustered.
    clusters : int
        How many clusters.
    unmasked_weight : float
        Weight of the valid frames that are not masked, at least 0.
    """

    centres: torch.Tensor

    def __init__(
        self,
        hidden_size: int,
        descriptors: int,
        clusters: int,
        block: int | None,
        unmasked_weight: float,
    ) -> None:
        super().__init__()
        self.block = block
        self.unmasked_weight = unmasked_weight
        self.register_buffer("centres", torch.zeros(clusters, descriptors))
        self.predict = torch.nn.Linear(hidden_size, clusters)

    def measure(self, targets: list[torch.Tensor]) -> None:
        """Cluster the frames of some crops by k-means.

        Arguments
        ---------
        targets : list of torch.Tensor
            As in ``UtteranceRegression``; NaN counts as the mean.

        Raises
        ------
        InputError
            If there are fewer frames than clusters.
        """
        from sklearn.cluster import MiniBatchKMeans

        rows = torch.cat(targets, dim=1)[0].nan_to_num(0.0)
        if len(rows) < len(self.centres):
            raise InputError(
                f"{len(rows)} frames cannot be put into clusters = "
                f"{len(self.centres)}; give more audio, a larger "
                "--measured_utterances or a smaller --clusters."
            )
        kmeans = MiniBatchKMeans(
            len(self.centres), batch_size=4096, n_init=1, random_state=0
        )
        centres = kmeans.fit(rows.cpu().numpy()).cluster_centers_
        self.centres.copy_(torch.from_numpy(centres))

    def forward(
        self,
        hidden: torch.Tensor,
        target: torch.Tensor,
        frame_mask: torch.Tensor,
        masked: torch.Tensor,
    ) -> torch.Tensor:
        """Cross-entropy, nats, (); shapes as in ``FrameRegression``.

        Arguments
        ---------
        hidden, target, frame_mask : torch.Tensor
            As in ``FrameRegression``.
        masked : torch.Tensor
            True on frames that the transformer did not see, (batch, frames).
        """
        with torch.no_grad():
            distances = torch.cdist(target.nan_to_num(0.0), self.centres[None])
            cluster = distances.argmin(-1)
        losses = F.cross_entropy(
            self.predict(hidden).float().transpose(1, 2),
            cluster,
            reduction="none",
        )
        weights = masked.float() + self.unmasked_weight * (~masked).float()
        weights = weights * frame_mask
        return (losses * weights).sum() / weights.sum().clamp(min=1e-8)
