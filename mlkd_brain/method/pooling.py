"""From the hidden states of an utterance to one vector: pooling over frames.

Each class takes hidden states, (batch, frames, features), and a mask that is
True on valid frames, (batch, frames), and gives (batch, ``output_size``),
float32. The padding has no effect, in training either: that is why these are
not SpeechBrain's, of which ``StatisticsPooling`` adds random numbers to the
means and ``AttentiveStatisticsPooling`` normalises over the padding, too.

Authors
 * The MLKD team 2026
"""

from typing import Any

import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.padding import mean_over_frames

SMALLEST_VARIANCE = 1e-6  # of hidden states; the root has no gradient at 0


class Pooling(torch.nn.Module):
    """What every pooling has; its arguments and result are the module's."""

    output_size: int  # features of the result


class MeanPooling(Pooling):
    """The mean of each feature (the paper's).

    Arguments
    ---------
    hidden_size : int
        Features of a hidden state.

    Example
    -------
    >>> hidden = torch.tensor([[[2.0], [4.0], [99.0]]])
    >>> MeanPooling(1)(hidden, torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.output_size = hidden_size

    def forward(
        self, hidden: torch.Tensor, frame_mask: torch.Tensor
    ) -> torch.Tensor:
        """Pool a batch, see the module."""
        return mean_over_frames(hidden, frame_mask)


class MeanDeviationPooling(Pooling):
    """The mean and the standard deviation of each feature, in this order.

    Arguments
    ---------
    hidden_size : int
        Features of a hidden state.

    Example
    -------
    >>> hidden = torch.tensor([[[2.0], [4.0], [99.0]]])
    >>> pooling = MeanDeviationPooling(1)
    >>> pooling(hidden, torch.tensor([[True, True, False]]))
    tensor([[3.0000, 1.0000]])
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.output_size = 2 * hidden_size

    def forward(
        self, hidden: torch.Tensor, frame_mask: torch.Tensor
    ) -> torch.Tensor:
        """Pool a batch, see the module."""
        mean = mean_over_frames(hidden, frame_mask)
        squares = (hidden.float() - mean[:, None]).square()
        variance = mean_over_frames(squares, frame_mask)
        deviation = torch.sqrt(variance + SMALLEST_VARIANCE)
        return torch.cat([mean, deviation], dim=-1)


class AttentivePooling(Pooling):
    """A weighted mean; a frame's weight is learned from its hidden state.

    The weights are ``softmax(v . tanh(W h + b))`` over the valid frames.

    Source: Lin et al., "A structured self-attentive sentence embedding", 2017,
    equation 5, with one head.

    Arguments
    ---------
    hidden_size : int
        Features of a hidden state.

    Example
    -------
    >>> pooling = AttentivePooling(8)
    >>> constant = torch.ones(1, 5, 8)  # weights sum to 1
    >>> pooled = pooling(constant, torch.ones(1, 5).bool())
    >>> torch.allclose(pooled, torch.ones(1, 8))
    True
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.output_size = hidden_size
        self.hidden = torch.nn.Linear(hidden_size, hidden_size)
        self.score = torch.nn.Linear(hidden_size, 1, bias=False)

    def forward(
        self, hidden: torch.Tensor, frame_mask: torch.Tensor
    ) -> torch.Tensor:
        """Pool a batch, see the module."""
        hidden = hidden.float()
        with torch.autocast(hidden.device.type, enabled=False):
            scores = self.score(torch.tanh(self.hidden(hidden)))
            scores = scores.masked_fill(~frame_mask[..., None], -torch.inf)
            # (batch, frames, 1)
            weights = torch.softmax(scores, dim=1)
            hidden = hidden.masked_fill(~frame_mask[..., None], 0.0)
            return (weights * hidden).sum(dim=1)


POOLINGS: dict[str, Any] = {
    "mean": MeanPooling,
    "mean_deviation": MeanDeviationPooling,
    "attentive": AttentivePooling,
}


def make_pooling(name: str, hidden_size: int) -> Pooling:
    """The pooling of a name.

    Arguments
    ---------
    name : str
        One of ``POOLINGS``.
    hidden_size : int
        Features of a hidden state.

    Raises
    ------
    InputError
        If there is none of that name.

    Example
    -------
    >>> make_pooling("mean_deviation", 32).output_size
    64
    """
    if name not in POOLINGS:
        raise InputError(
            f"Bad value '{name}' for pooling, expected one of {list(POOLINGS)}."
        )
    return POOLINGS[name](hidden_size)
