"""A classifier as one ONNX graph, safe to batch and quick on a CPU.

The graph computes what ``EmotionClassifier`` computes, arranged for a runtime:
convolutions are matrix products over frames, channels last, and the group norm
of the first one is folded into its weights.

Authors
 * The MLKD team 2026
"""

import contextlib
import copy
import logging
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.method.padding import (
    ValidGroupNorm,
    normalise_waveforms,
    valid_mask,
)
from torch.nn.utils import parametrize


def windows(frames: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """The input frames of each output frame of a convolution, side by side.

    Arguments
    ---------
    frames : torch.Tensor
        (batch, time, channels)
    kernel, stride : int
        Of the convolution, frames.

    Returns
    -------
    torch.Tensor
        (batch, outputs, kernel * channels)

    Example
    -------
    >>> windows(torch.arange(5.0)[None, :, None], kernel=3, stride=2)
    tensor([[[0., 1., 2.],
             [2., 3., 4.]]])
    """
    taps = [
        # an end counted backwards leaves the exporter no case to decide
        frames[:, tap : tap + 1 - kernel or None : stride]
        for tap in range(kernel)
    ]
    return torch.cat(taps, dim=-1)


class ConvAsProduct(torch.nn.Module):
    """One conv layer of the encoder, with its layer norm and activation.

    Arguments
    ---------
    layer : torch.nn.Module
        A conv layer of transformers: ``conv``, ``activation``, ``layer_norm``
        if any.

    Example
    -------
    >>> from transformers import AutoModel
    >>> model = AutoModel.from_pretrained(getfixture("tiny_wav2vec2"))
    >>> layer = model.feature_extractor.conv_layers[1]
    >>> hidden = torch.randn(1, 16, 9)
    >>> product = ConvAsProduct(layer)(hidden.transpose(1, 2), None)
    >>> torch.allclose(product.transpose(1, 2), layer(hidden), atol=1e-6)
    True
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        (self.kernel,), (self.stride,) = (
            layer.conv.kernel_size,
            layer.conv.stride,
        )
        # (channels out, channels in, kernel) -> (kernel * in, out)
        weight = layer.conv.weight.detach().permute(2, 1, 0).flatten(0, 1)
        self.weight = torch.nn.Parameter(weight.contiguous())
        self.bias = layer.conv.bias
        self.norm = getattr(layer, "layer_norm", None)
        self.activation = layer.activation

    def forward(self, frames: torch.Tensor, lengths: object) -> torch.Tensor:
        """(batch, time, channels) to (batch, outputs, channels)."""
        hidden = windows(frames, self.kernel, self.stride) @ self.weight
        if self.bias is not None:
            hidden = hidden + self.bias
        return self.activation(
            hidden if self.norm is None else self.norm(hidden)
        )


class NormedConvAsProduct(ConvAsProduct):
    """The first conv layer with its group norm, as one matrix product.

    With ``C`` the covariance of the windows of an utterance, the variance of
    channel ``w`` is ``w C w``: the statistics that group norm needs come from
    a small matrix, and dividing by them scales the weights.
    """

    def forward(self, frames, lengths):
        """As its parent; ``lengths`` are the valid samples, (batch,)."""
        seen = windows(frames, self.kernel, self.stride)
        valid = (lengths - self.kernel) // self.stride + 1
        mask = valid_mask(valid, seen.shape[1])[..., None].to(seen.dtype)
        count = valid[:, None, None].to(seen.dtype)
        mean = (seen * mask).sum(1, keepdim=True) / count
        # the conv's bias shifts a channel's mean and is gone with it
        centred = (seen - mean) * mask
        covariance = centred.transpose(1, 2) @ centred / count
        # (batch, kernel, channels): diagonal of weight' C weight
        variance = (self.weight * (covariance @ self.weight)).sum(
            1, keepdim=True
        )
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        return self.activation(centred @ (self.weight * scale) + self.norm.bias)


class ConvStack(torch.nn.Module):
    """The conv encoder, as matrix products. Set ``lengths``, then call it.

    Arguments
    ---------
    feature_extractor : torch.nn.Module
        Of a transformers encoder with ``ValidGroupNorm`` in place.
    """

    def __init__(self, feature_extractor: Any) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(
            NormedConvAsProduct(layer)
            if isinstance(getattr(layer, "layer_norm", None), ValidGroupNorm)
            else ConvAsProduct(layer)
            for layer in feature_extractor.conv_layers
        )

    def forward(self, wavs: torch.Tensor) -> torch.Tensor:
        """(batch, time) to (batch, channels, frames), as transformers has it."""
        frames = wavs[..., None]
        for layer in self.layers:
            frames = layer(frames, self.lengths)
        return frames.transpose(1, 2)


class BatchSafeGraph(torch.nn.Module):
    """An ``EmotionClassifier`` of which every step is given the lengths.

    Arguments
    ---------
    model : mlkd_brain.method.lobes.EmotionClassifier
        Copied.

    Example
    -------
    >>> from mlkd_brain.method.lobes import SpeechEncoder
    >>> encoder = SpeechEncoder(getfixture("tiny_wav2vec2"))
    >>> model = EmotionClassifier(encoder, n_classes=4).eval()
    >>> wav = torch.randn(1, 8000)
    >>> logits = BatchSafeGraph(model)(wav, torch.tensor([8000]))
    >>> torch.allclose(logits, model(wav).logits, atol=1e-5)
    True
    """

    def __init__(self, model: EmotionClassifier) -> None:
        super().__init__()
        model = copy.deepcopy(model).eval().requires_grad_(False)
        self.encoder = model.encoder
        self.pooling, self.head = model.pooling, model.head
        transformer = model.encoder.model
        positional = transformer.encoder.pos_conv_embed
        # data2vec has a stack of plain convolutions instead
        if parametrize.is_parametrized(getattr(positional, "conv", positional)):
            positional.conv = _without_weight_norm(positional.conv)
        transformer.feature_extractor = ConvStack(transformer.feature_extractor)

    def forward(
        self, wavs: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Logits, (batch, classes).

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms as recorded, (batch, time), padded with anything.
        lengths : torch.Tensor
            Valid samples, int64, (batch,).
        """
        transformer = self.encoder.model
        if self.encoder.normalize_wav:
            wavs = normalise_waveforms(wavs, lengths)
        frames = lengths
        for layer in transformer.feature_extractor.layers:
            frames = (frames - layer.kernel) // layer.stride + 1
        transformer.feature_extractor.lengths = lengths
        # transformers counts in floats, of which some runtimes keep 8 bits
        transformer._get_feature_vector_attention_mask = (
            lambda size, mask, add_adapter=None: valid_mask(frames, size)
        )
        for layer in self.encoder._frame_convs:
            layer.lengths = frames
        hidden = transformer(
            wavs, attention_mask=valid_mask(lengths, wavs.shape[1])
        ).last_hidden_state
        frame_mask = valid_mask(frames, hidden.shape[1])
        return self.head(self.pooling(hidden, frame_mask))


def shortest(feature_extractor: Any) -> int:
    """Samples that give one frame.

    Example
    -------
    >>> from transformers import AutoModel
    >>> model = AutoModel.from_pretrained(getfixture("tiny_wav2vec2"))
    >>> shortest(model.feature_extractor)  # 25 ms, as in wav2vec 2.0
    400
    """
    samples = 1
    for layer in reversed(feature_extractor.conv_layers):
        (kernel,), (stride,) = layer.conv.kernel_size, layer.conv.stride
        samples = (samples - 1) * stride + kernel
    return samples


def _without_weight_norm(conv):
    """The same convolution with its weight as one tensor."""
    # remove_parametrizations on a copy would break the original's class
    plain = torch.nn.Conv1d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        padding=conv.padding,
        groups=conv.groups,
    ).requires_grad_(False)
    plain.load_state_dict({"weight": conv.weight, "bias": conv.bias})
    return plain


def write_float_graph(
    model: EmotionClassifier, path: str | pathlib.Path
) -> None:
    """Write a classifier as an ONNX graph in float32.

    Inputs ``wavs`` and ``lengths``, output ``logits`` as ``BatchSafeGraph``
    has them; batch and time are free.

    Arguments
    ---------
    model : mlkd_brain.method.lobes.EmotionClassifier
        Trained.
    path : str or pathlib.Path
        Where the graph goes, weights and all.
    """
    least = shortest(model.encoder.model.feature_extractor)
    batch = torch.export.Dim("batch")
    time = torch.export.Dim("time", min=least)
    with torch.no_grad(), quiet_exporter():
        program: Any = torch.onnx.export(
            BatchSafeGraph(model),
            (torch.randn(2, 9000), torch.tensor([9000, 7001])),
            input_names=["wavs", "lengths"],
            output_names=["logits"],
            dynamic_shapes={"wavs": {0: batch, 1: time}, "lengths": {0: batch}},
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    for node in graph.graph.node:
        # where each node came from: paths of this machine, a tenth of the file
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    pathlib.Path(path).write_bytes(graph.SerializeToString())


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep notes of an exporter that ask nothing of us off the screen."""
    with warnings.catch_warnings(action="ignore"):
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
