"""Whisper's encoder on an utterance's own frames, without padding to 30 s.

Authors
 * The MLKD team 2026
"""

import math

import torch
import torch.nn.functional as F
from mlkd_brain.method.encoders import Encoding, SpeechEncoder
from mlkd_brain.method.padding import valid_mask
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import (
    WhisperEncoder as WhisperTransformer,
)

DECODER = "decoder."  # in the names of the weights that are left aside


class WhisperEncoder(SpeechEncoder):
    """The encoder of a Whisper model; see ``SpeechEncoder``.

    The input is the log-mel spectrogram of each utterance's own samples, the
    positions are 1, 2 ... T of the pretrained ones, padding is masked: Whisper
    itself pads everything to 30 s, which costs many times as much and, measured
    with a linear probe on EmoDB, brings nothing.

    Speech longer than 30 s is encoded in stretches of 30 s: positions begin anew
    and attention stays within a stretch; pooling joins them.

    Example
    -------
    >>> encoder = SpeechEncoder(getfixture("encoders")("whisper"))
    >>> encoder(torch.randn(1, 16000)).last.shape
    torch.Size([1, 50, 32])
    """

    @staticmethod
    def build(config) -> torch.nn.Module:
        """The encoder of a configuration, with random weights."""
        return WhisperTransformer(config)

    def _is_optional(self, name):
        return name.startswith(DECODER) or super()._is_optional(name)

    def _take_settings(self, source, save_path):
        self.model = self.model.get_encoder()

    def _set_layerdrop(self, layerdrop):
        self.model.layerdrop = self.model.config.encoder_layerdrop = layerdrop

    @property
    def conv_modules(self) -> list[torch.nn.Module]:
        """The conv layers."""
        return [self.model.conv1, self.model.conv2]

    def _freeze_convs(self):
        for module in self.conv_modules:
            module.requires_grad_(False)
        self.model.embed_positions.requires_grad_(False)

    def _prepare(self):
        super()._prepare()
        mels = WhisperFeatureExtractor(self.model.config.num_mel_bins)
        filters = torch.as_tensor(mels.mel_filters).T
        self.log_mel = LogMel(filters, mels.hop_length)

    @property
    def block_list(self) -> torch.nn.ModuleList:
        """The transformer blocks."""
        return self.model.layers

    def _set_blocks(self, blocks):
        self.model.layers = torch.nn.ModuleList(blocks)

    def encode(
        self, wav: torch.Tensor, samples: torch.Tensor | None
    ) -> Encoding:
        """Encode waveforms; ``samples`` are None if all are valid."""
        padded = samples is not None
        if samples is None:
            samples = torch.full((len(wav),), wav.shape[1], device=wav.device)
        samples = samples.to(wav.device, non_blocking=True)
        mel, frames = self.log_mel(wav, samples)
        hidden = F.gelu(self.model.conv1(mel))
        # the second convolution sees zeros behind the end, as it does alone
        hidden = hidden * valid_mask(frames, hidden.shape[2])[:, None]
        hidden = F.gelu(self.model.conv2(hidden)).transpose(1, 2)
        # (batch, frames, features)
        frame_mask = valid_mask(self.count_frames(samples), hidden.shape[1])
        hidden = self.augmented(hidden, frame_mask)
        hidden, bias = self._place(hidden, frame_mask if padded else None)
        blocks = []
        for layer in self.model.layers:
            skipped = self.training and torch.rand(()) < self.model.layerdrop
            hidden = hidden if skipped else layer(hidden, bias)
            blocks.append(hidden)
        # the last hidden state is after the final norm, as in transformers
        blocks[-1] = self.model.layer_norm(hidden)
        return Encoding(blocks[-1], blocks, frame_mask)

    def _place(self, hidden, frame_mask):
        """Add the positions; also the bias that limits the attention."""
        positions = self.model.embed_positions.weight
        index = torch.arange(hidden.shape[1], device=hidden.device)
        hidden = hidden + positions[index % len(positions)]
        hidden = F.dropout(hidden, self.model.dropout, self.training)
        if frame_mask is None and len(index) <= len(positions):
            return hidden, None  # every frame attends to every other
        stretch = index // len(positions)
        attended = (stretch[:, None] == stretch)[None, None]
        if frame_mask is not None:
            attended = attended & frame_mask[:, None, None]
        bias = torch.zeros(attended.shape, device=hidden.device)
        return hidden, bias.masked_fill(~attended, -1e9)

    def count_frames(self, samples):
        """Frames that are made of so many samples (int or tensor) at 16 kHz."""
        return (samples // self.log_mel.hop + 1) // 2


class LogMel(torch.nn.Module):
    """Log-mel spectrogram of each utterance's own samples.

    For one utterance it is what transformers' ``WhisperFeatureExtractor`` makes
    of it without padding: frames of 25 ms every 10 ms, reflected at both ends,
    the logarithm cut off 8 decades below the utterance's largest value.

    A product with a Fourier basis rather than an FFT: the same graph serves
    PyTorch and ONNX, and the cost is small beside the encoder's.

    Arguments
    ---------
    filters : torch.Tensor
        Mel filters, (mels, n_fft // 2 + 1).
    hop : int
        Samples between frames.

    Example
    -------
    >>> log_mel = LogMel(torch.rand(80, 201), hop=160)
    >>> mel, frames = log_mel(torch.randn(1, 16000), torch.tensor([16000]))
    >>> mel.shape, frames
    (torch.Size([1, 80, 100]), tensor([100]))
    """

    def __init__(self, filters: torch.Tensor, hop: int):
        super().__init__()
        bins = filters.shape[1]
        self.size, self.hop = 2 * (bins - 1), hop
        time = torch.arange(self.size, dtype=torch.float64)
        angle = 2 * math.pi * torch.outer(time, torch.arange(bins)) / self.size
        window = torch.hann_window(self.size, dtype=torch.float64)[:, None]
        basis = torch.cat([window * angle.cos(), window * angle.sin()], dim=1)
        self.register_buffer("basis", basis.float(), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    def forward(
        self, wavs: torch.Tensor, samples: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-mel spectrograms of a batch, float32 whatever the autocast.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time), padded with anything.
        samples : torch.Tensor
            Valid samples of each, (batch,); more than half a frame.

        Returns
        -------
        mel : torch.Tensor
            (batch, mels, frames), zeros in the padding.
        frames : torch.Tensor
            Valid frames of each, (batch,).
        """
        with torch.autocast(wavs.device.type, enabled=False):
            power = self._power(wavs.float(), samples)
            log = torch.log10((self.filters @ power).clamp(min=1e-10))
        frames = samples // self.hop
        mask = valid_mask(frames, log.shape[2])[:, None]
        peak = log.masked_fill(~mask, -10.0).amax((1, 2), keepdim=True)
        log = (torch.maximum(log, peak - 8.0) + 4.0) / 4.0
        return log.masked_fill(~mask, 0.0), frames

    def _power(self, wavs, samples):
        """Power spectrum, (batch, bins, frames); each end is reflected."""
        starts = torch.arange(wavs.shape[1] // self.hop, device=wavs.device)
        within = torch.arange(self.size, device=wavs.device) - self.size // 2
        # (frames, size): index of each sample, before the ends are reflected
        index = (starts[:, None] * self.hop + within).abs()
        last = (samples - 1)[:, None, None]
        index = (last - (last - index).abs()).clamp(min=0)
        # (batch, frames, size)
        cut = wavs.gather(1, index.flatten(1)).view(index.shape)
        real, imaginary = (cut @ self.basis).transpose(1, 2).chunk(2, dim=1)
        return real**2 + imaginary**2
