"""Padding that changes nothing: an utterance has one answer in any batch.

wav2vec2-base's first conv layer normalises each channel over time (group norm),
data2vec's positional convolution stacks five layers; both let the padding of a
batch into the valid frames. The two modules here keep it out, with the same
parameters under the same names, so that weights load and save as before.

Authors
 * The MLKD team 2026
"""

import torch
import torch.nn.functional as F


def samples_of(wav_lens, time):
    """Number of valid samples of each utterance of a padded batch.

    Arguments
    ---------
    wav_lens : torch.Tensor or None
        Relative lengths in (0, 1], (batch,); None when nothing is padded.
    time : int
        Samples in the padded batch.

    Returns
    -------
    torch.Tensor or None
        Samples, int64, (batch,); None when nothing is padded.

    Example
    -------
    >>> samples_of(torch.tensor([1.0, 0.25]), 8)
    tensor([8, 2])
    """
    if wav_lens is None:
        return None
    return torch.round(wav_lens.double() * time).long()


def valid_mask(lengths, size):
    """True on the first ``lengths`` places of each row.

    Arguments
    ---------
    lengths : torch.Tensor
        Valid places of each row, (batch,).
    size : int
        Places in a row.

    Returns
    -------
    torch.Tensor
        Bool, (batch, size).

    Example
    -------
    >>> valid_mask(torch.tensor([1, 3]), 3).int()
    tensor([[1, 0, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked_mean(values, mask, dim=-1):
    """Mean over the places where ``mask`` is True.

    Arguments
    ---------
    values : torch.Tensor
        Any shape.
    mask : torch.Tensor
        Bool, broadcastable to ``values``; at least one True along ``dim``.
    dim : int
        Where to average; kept with size 1.

    Returns
    -------
    torch.Tensor
        ``values`` with size 1 along ``dim``.

    Example
    -------
    >>> masked_mean(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([1, 1, 0]) > 0)
    tensor([2.])
    """
    mask = mask.expand_as(values)
    total = values.masked_fill(~mask, 0.0).sum(dim, keepdim=True)
    return total / mask.sum(dim, keepdim=True)


def normalise_waveforms(wavs, samples=None, eps=1e-7):
    """Zero mean and unit variance over each utterance's own samples.

    The padding stays zero. For one unpadded utterance this is what the feature
    extractor of transformers computes (same ``eps``).

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms, (batch, time).
    samples : torch.Tensor or None
        Valid samples of each, (batch,); None when nothing is padded.
    eps : float
        Added to the variance.

    Returns
    -------
    torch.Tensor
        (batch, time)

    Example
    -------
    >>> wavs = torch.tensor([[1.0, 3.0, 0.0, 0.0]])
    >>> normalise_waveforms(wavs, torch.tensor([2])).round()
    tensor([[-1.,  1.,  0.,  0.]])
    """
    wavs = wavs.float()
    if samples is None:
        samples = torch.full_like(wavs[:, 0], wavs.shape[1])
    mask = valid_mask(samples, wavs.shape[1])
    centred = (wavs - masked_mean(wavs, mask)).masked_fill(~mask, 0.0)
    variance = masked_mean(centred**2, mask)
    return centred / torch.sqrt(variance + eps)


class ValidGroupNorm(torch.nn.GroupNorm):
    """Group norm, one group a channel, with statistics over valid frames only.

    Set ``lengths`` before the forward pass: valid frames of each utterance at
    this layer, (batch,), or None when nothing is padded, which gives exactly
    ``torch.nn.GroupNorm``.

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

    def __init__(self, norm):
        if norm.num_groups != norm.num_channels:
            raise ValueError(
                f"{norm.num_groups} groups for {norm.num_channels} channels; "
                "wav2vec 2.0 has one group for each channel."
            )
        super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.weight, self.bias = norm.weight, norm.bias
        self.lengths = None

    def forward(self, hidden):
        """Normalise each channel over time.

        Arguments
        ---------
        hidden : torch.Tensor
            (batch, channels, frames)

        Returns
        -------
        torch.Tensor
            (batch, channels, frames), float32 whatever the autocast; zeros in
            the padding.
        """
        hidden, alone = hidden.float(), super().forward
        if self.lengths is None:
            return alone(hidden)
        # each utterance alone: fewer passes than with a mask, over the largest
        # tensor of the encoder
        frames = hidden.shape[-1]
        rows = [
            F.pad(alone(row[None, :, :valid]), (0, frames - valid))
            for row, valid in zip(hidden, self.lengths.tolist())
        ]
        return torch.cat(rows)


def zero_padding(layer, inputs):
    """Forward pre-hook for a layer that sees neighbouring frames.

    Arguments
    ---------
    layer : torch.nn.Module
        Maps (batch, channels, frames) to the same shape. Its attribute
        ``lengths`` holds the valid frames, (batch,), or None.
    inputs : tuple
        The hidden states, alone.

    Returns
    -------
    tuple or None
        The hidden states with zeros where the padding is; None, which leaves
        them as they are, when nothing is padded.
    """
    if layer.lengths is None:
        return None
    (hidden,) = inputs
    mask = valid_mask(layer.lengths, hidden.shape[-1])[:, None]
    return (hidden.masked_fill(~mask, 0.0),)


def mean_over_frames(hidden, frame_mask):
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
        (batch, features)

    Example
    -------
    >>> hidden = torch.tensor([[[2.0], [4.0], [99.0]]])
    >>> mean_over_frames(hidden, torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    return masked_mean(hidden.float(), frame_mask[..., None], dim=1).squeeze(1)
