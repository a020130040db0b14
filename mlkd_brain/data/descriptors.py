"""Standard descriptors of speech, frame by frame, and their functionals.

F0 and harmonicity from the autocorrelation, log energy, the shape of the
spectrum, mel spectrum and cepstrum, all computed by SpeechBrain.

Authors
 * The MLKD team 2026
"""

import torch
import torch.nn.functional as F
from mlkd_brain.audio import SAMPLE_RATE

from speechbrain.processing.features import DCT, Filterbank
from speechbrain.processing.vocal_features import (
    autocorrelate,
    compute_spectral_features,
)

#: The shape of the spectrum, in the order of SpeechBrain.
SHAPE = "centroid spread skew kurtosis entropy flatness crest flux".split()
# Boersma's octave cost prefers the shorter of two periods that fit as well
OCTAVE_COST = 0.03  # of harmonicity, an octave
SILENCE = 1e-8  # of a mean square; keeps the logarithm finite


class FrameDescriptors(torch.nn.Module):
    """Descriptors of each frame of a waveform, scaled to unit power.

    In this order: F0 in semitones above ``lowest_f0``, NaN where a frame is not
    voiced; harmonicity; log energy in dB; eight measures of the spectrum's
    shape; ``n_mfcc`` cepstral coefficients; ``n_mels`` log-mel energies in dB.

    Source of F0: Boersma, "Accurate short-term analysis of the fundamental
    frequency", 1993.

    Arguments
    ---------
    hop : int
        Samples from one frame to the next.
    window : int
        Samples of a frame, at least four periods of ``lowest_f0``.
    first_centre : int
        Sample in the middle of the first frame.
    lowest_f0, highest_f0 : float
        Range of the fundamental frequency, Hz.
    voiced_from : float
        Harmonicity, in [0, 1], from which a frame counts as voiced.
    n_mels : int
        Mel bands.
    n_mfcc : int
        Cepstral coefficients.

    Example
    -------
    >>> descriptors = FrameDescriptors(hop=160, window=1024)
    >>> time = torch.arange(16000) / 16000
    >>> tone = torch.sin(2 * torch.pi * 140 * time)[None]
    >>> octave = descriptors(tone)[0, 50, 0]  # 140 Hz are an octave above 70
    >>> round(octave.item())
    12
    """

    def __init__(
        self,
        hop: int,
        window: int = 1024,
        first_centre: int = 512,
        lowest_f0: float = 70.0,
        highest_f0: float = 500.0,
        voiced_from: float = 0.5,
        n_mels: int = 40,
        n_mfcc: int = 13,
    ):
        super().__init__()
        self.hop, self.window, self.first_centre = hop, window, first_centre
        self.lowest_f0, self.voiced_from = lowest_f0, voiced_from
        self.shortest_lag = int(SAMPLE_RATE / highest_f0)
        self.longest_lag = int(SAMPLE_RATE / lowest_f0)
        self.mel = Filterbank(
            n_mels=n_mels, n_fft=window, sample_rate=SAMPLE_RATE
        )
        self.cepstrum = DCT(input_size=n_mels, n_out=n_mfcc)
        self.register_buffer("hann", torch.hann_window(window), False)
        self.names = [
            "f0",
            "harmonicity",
            "energy",
            *SHAPE,
            *(f"mfcc_{i}" for i in range(n_mfcc)),
            *(f"mel_{i}" for i in range(n_mels)),
        ]

    @torch.no_grad()
    def forward(self, wavs: torch.Tensor) -> torch.Tensor:
        """Describe a batch.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time), any scale.

        Returns
        -------
        torch.Tensor
            (batch, frames, descriptors); frame j is centred on sample
            ``first_centre + j * hop``, and the last centre is at most the
            waveform's end.
        """
        wavs = wavs.float()
        power = wavs.square().mean(1, keepdim=True)
        frames = self._frames(wavs * torch.rsqrt(power + SILENCE))
        f0, harmonicity = self._f0(frames)
        energy = 10 * torch.log10(frames.square().mean(-1) + SILENCE)
        spectrum = torch.fft.rfft(frames * self.hann).abs()
        mel = self.mel(spectrum.square())
        return torch.cat(
            [
                torch.stack([f0, harmonicity, energy], dim=-1),
                compute_spectral_features(spectrum),
                self.cepstrum(mel),
                mel,
            ],
            dim=-1,
        )

    def _f0(self, frames):
        """Semitones or NaN, and harmonicity, each (batch, frames)."""
        lags = torch.arange(self.shortest_lag, self.longest_lag + 1)
        lags = lags.to(frames.device)
        scores = autocorrelate(frames)[..., lags]
        cost = OCTAVE_COST * torch.log2(lags / self.shortest_lag)
        best = (scores - cost).argmax(-1, keepdim=True)
        harmonicity = scores.gather(-1, best)[..., 0]
        semitones = 12 * torch.log2(SAMPLE_RATE / lags[best] / self.lowest_f0)
        unvoiced = harmonicity < self.voiced_from
        return semitones[..., 0].masked_fill(unvoiced, torch.nan), harmonicity

    def _frames(self, wavs):
        left = self.window // 2 - self.first_centre
        padded = F.pad(wavs, (left, self.window // 2))
        return padded.unfold(-1, self.window, self.hop)


def functionals(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Statistics of descriptors over the valid frames of each utterance.

    Mean, standard deviation, the 10th, 50th and 90th percentile and the mean
    absolute change from frame to frame. NaN is left out, as in F0 of unvoiced
    frames; a descriptor that is NaN everywhere has NaN for a statistic.

    Arguments
    ---------
    values : torch.Tensor
        (batch, frames, descriptors)
    mask : torch.Tensor
        True on valid frames, (batch, frames).

    Returns
    -------
    torch.Tensor
        (batch, 6 * descriptors)

    Example
    -------
    >>> values = torch.tensor([[[1.0], [3.0], [torch.nan], [99.0]]])
    >>> mask = torch.tensor([[True, True, True, False]])
    >>> found = functionals(values, mask)[0]
    >>> found[[0, 1, 3, 5]]  # mean, spread, median, change
    tensor([2., 1., 2., 2.])
    """
    values = values.masked_fill(~mask[..., None], torch.nan)
    mean = values.nanmean(1, keepdim=True)
    deviation = (values - mean).square().nanmean(1).sqrt()
    ranks = torch.tensor([0.1, 0.5, 0.9], device=values.device)
    percentiles = values.nanquantile(ranks, dim=1)
    change = values.diff(dim=1).abs().nanmean(1)
    return torch.cat([mean[:, 0], deviation, *percentiles, change], dim=-1)
