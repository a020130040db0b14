"""Padding without effect: an utterance has the same output in any batch.

The first conv layer of wav2vec2-base normalises each channel over time (group
norm), and data2vec's positional convolution stacks five layers; both let the
padding of a batch into the valid frames. The two modules here keep it out, with
the same parameters under the same names, so that weights load as before.

Authors
 * The MLKD team 2026
"""

import torch
import torch.nn.functional as F


def samples_of(wav_lens: torch.Tensor | None, time: int) -> torch.Tensor | None:
    """Number of valid samples of each utterance of a padded batch.

    Arguments
    ---------
    wav_lens : torch.Tensor or None
        Relative lengths in (0, 1], (batch,); None when nothing is padded, which
        is returned then.
    time : int
        Samples in the padded batch.

    Example
    -------
    >>> samples_of(torch.tensor([1.0, 0.25]), 8)
    tensor([8, 2])
    """
    if wav_lens is None:
        return None
    return torch.round(wav_lens.double() * time).long()


def grid_length(samples: int) -> int:
    """The next length of a grid: at most a sixteenth more than the samples.

    A GPU's convolutions are planned anew for each length, which takes longer than
    a step: with 16 lengths an octave they come back.

    Example
    -------
    >>> [grid_length(samples) for samples in (16000, 16384, 16385, 72000)]
    [16384, 16384, 17408, 73728]
    """
    step = 2 ** max(0, (samples - 1).bit_length() - 5)
    return -(-samples // step) * step


def valid_mask(
    lengths: torch.Tensor, size: int, device: torch.device | None = None
) -> torch.Tensor:
    """True on the first ``lengths`` entries of each row.

    Arguments
    ---------
    lengths : torch.Tensor
        Valid entries of each row, (batch,).
    size : int
        Entries in a row of the mask, (batch, size).
    device : torch.device, optional
        Of the mask; that of the lengths by default.

    Example
    -------
    >>> valid_mask(torch.tensor([1, 3]), 3).int()
    tensor([[1, 0, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    lengths = lengths.to(device or lengths.device, non_blocking=True)
    # SpeechBrain's length_to_mask takes len() of a tensor, which fixes the batch
    # size of an exported model
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def _masked_mean(values, mask, dim=-1):
    """Mean over the entries where ``mask`` is True; ``dim`` keeps size 1."""
    mask = mask.expand_as(values)
    total = values.masked_fill(~mask, 0.0).sum(dim, keepdim=True)
    return total / mask.sum(dim, keepdim=True)


def mean_over_frames(
    hidden: torch.Tensor, frame_mask: torch.Tensor
) -> torch.Tensor:
    """Mean of the hidden states over each utterance's valid frames.

    Arguments
    ---------
    hidden : torch.Tensor
        (batch, frames, features)
    frame_mask : torch.Tensor
        True on valid frames, (batch, frames).

    Returns
    -------
    torch.Tensor
        (batch, features), float32.

    Example
    -------
    >>> hidden = torch.tensor([[[2.0], [4.0], [99.0]]])
    >>> mean_over_frames(hidden, torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    return _masked_mean(hidden.float(), frame_mask[..., None], dim=1).squeeze(1)


def normalise_waveforms(
    wavs: torch.Tensor, samples: torch.Tensor | None = None, eps: float = 1e-7
) -> torch.Tensor:
    """Zero mean and unit variance over each utterance's own samples.

    The padding stays zero. For one unpadded utterance this is what the feature
    extractor of transformers computes (same ``eps``).

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms, (batch, time).
    samples : torch.Tensor or None
        Valid samples of each, (batch,), on any device; None when nothing is
        padded.
    eps : float
        Added to the variance.

    Returns
    -------
    torch.Tensor
        (batch, time), float32.

    Example
    -------
    >>> wavs = torch.tensor([[1.0, 3.0, 0.0, 0.0]])
    >>> normalise_waveforms(wavs, torch.tensor([2])).round()
    tensor([[-1.,  1.,  0.,  0.]])
    """
    wavs = wavs.float()
    if samples is None:
        samples = torch.full_like(wavs[:, 0], wavs.shape[1])
    mask = valid_mask(samples, wavs.shape[1], wavs.device)
    centred = (wavs - _masked_mean(wavs, mask)).masked_fill(~mask, 0.0)
    variance = _masked_mean(centred**2, mask)
    return centred / torch.sqrt(variance + eps)


class ValidGroupNorm(torch.nn.GroupNorm):
    """Group norm, one group a channel, with statistics over valid frames only.

    Set ``lengths`` before the forward pass: valid frames of each utterance at
    this layer, (batch,), or None when nothing is padded, which gives exactly
    ``torch.nn.GroupNorm``. They are read here: on a GPU they would be waited for.

    Arguments
    ---------
    norm : torch.nn.GroupNorm
        The layer to replace; its parameters are taken over.

    Raises
    ------
    ValueError
        If ``norm`` groups several channels.

    Example
    -------
    >>> norm = ValidGroupNorm(torch.nn.GroupNorm(1, 1))
    >>> alone, padding = torch.randn(1, 1, 5), torch.full((1, 1, 3), 7.0)
    >>> norm.lengths = torch.tensor([5])
    >>> padded = norm(torch.cat([alone, padding], dim=-1))[..., :5]
    >>> norm.lengths = None
    >>> torch.allclose(norm(alone), padded, atol=1e-5)
    True
    """

    lengths: torch.Tensor | None

    def __init__(self, norm: torch.nn.GroupNorm):
        if norm.num_groups != norm.num_channels:
            raise ValueError(
                f"{norm.num_groups} groups for {norm.num_channels} channels; "
                "wav2vec 2.0 has one group for each channel."
            )
        super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.weight, self.bias = norm.weight, norm.bias
        self.lengths = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalise (batch, channels, frames); the result is float32."""
        hidden, normalise = hidden.float(), super().forward
        if self.lengths is None:
            return normalise(hidden)
        # one utterance after the other: fewer passes over the largest tensor of
        # the encoder than with a mask
        frames = hidden.shape[-1]
        rows = [
            F.pad(normalise(row[None, :, :valid]), (0, frames - valid))
            for row, valid in zip(hidden, self.lengths.tolist())
        ]
        return torch.cat(rows)


def zero_padding(layer, inputs: tuple) -> tuple | None:
    """Forward pre-hook that sets the padding of a layer's input to zero.

    For a layer that maps (batch, channels, frames) to the same shape and whose
    output depends on neighbouring frames. Its attribute ``lengths`` holds the
    valid frames, (batch,), or None, which changes nothing.
    """
    if layer.lengths is None:
        return None
    (hidden,) = inputs
    mask = valid_mask(layer.lengths, hidden.shape[-1])[:, None]
    return (hidden.masked_fill(~mask, 0.0),)
