"""Input of the baseline's classifier: functionals of an utterance.

The default is free software. openSMILE's sets need an optional package
(``pip install opensmile``) that is free for research only.

Authors
 * The MLKD team 2026
"""

import torch
import torch.nn.functional as F
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.descriptors import FrameDescriptors, functionals
from mlkd_brain.errors import InputError
from mlkd_brain.optional import require

IN_TREE = "descriptors"
#: Of the opensmile package, with 384, 1582, 88 and 6373 features.
OPENSMILE = ("IS09", "IS10", "eGeMAPSv02", "ComParE_2016")
BLOCK = 64  # frames


class AcousticFeatures(torch.nn.Module):
    """Statistics of an utterance's descriptors, of fixed number.

    Arguments
    ---------
    kind : str
        "descriptors": those of ``mlkd_brain.data.descriptors``, over all frames and
        again over the voiced ones alone; or one of ``OPENSMILE``.
    hop : int
        Samples from one frame of "descriptors" to the next; openSMILE's sets
        have their own.

    Raises
    ------
    InputError
        If the kind is unknown, or the opensmile package missing.

    Example
    -------
    >>> features = AcousticFeatures("descriptors", hop=160)
    >>> tone = torch.sin(2 * torch.pi * 140 * torch.arange(16000) / 16000)
    >>> features(tone).shape == (features.size,)
    True
    """

    def __init__(self, kind: str = IN_TREE, hop: int = 160):
        super().__init__()
        if kind not in (IN_TREE, *OPENSMILE):
            raise InputError(
                f"Bad value '{kind}' for features, expected one of "
                f"{[IN_TREE, *OPENSMILE]}."
            )
        self.kind, self.hop = kind, hop
        self.describe = (
            DescriptorFunctionals(hop) if kind == IN_TREE else Opensmile(kind)
        )
        self.size = len(self(torch.zeros(SAMPLE_RATE)))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Features of one utterance.

        Arguments
        ---------
        waveform : torch.Tensor
            16 kHz, (time,), at least 0.1 s.

        Returns
        -------
        torch.Tensor
            (size,), float32; NaN where a statistic is not defined, as that of
            F0 where no frame is voiced.
        """
        return self.describe(waveform)


class BlockwiseDescriptors(FrameDescriptors):
    """``FrameDescriptors`` with F0 computed in blocks of one size.

    The autocorrelation is a convolution with a channel for each frame, for
    which oneDNN would compile code anew for each number of frames: on a CPU
    that takes longer than all the rest. No value changes.
    """

    def _f0(self, frames):
        count = frames.shape[1]
        padded = F.pad(frames, (0, 0, 0, -count % BLOCK))
        parts = [
            super(BlockwiseDescriptors, self)._f0(part)
            for part in padded.split(BLOCK, 1)
        ]
        return [torch.cat(part, dim=1)[:, :count] for part in zip(*parts)]


class DescriptorFunctionals(torch.nn.Module):
    """Functionals over all frames, then over the voiced ones.

    Arguments
    ---------
    hop : int
        Samples from one frame to the next.
    """

    def __init__(self, hop: int):
        super().__init__()
        self.descriptors = BlockwiseDescriptors(hop)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """As ``AcousticFeatures.forward``."""
        values = self.descriptors(waveform[None])
        voiced = ~values[..., self.descriptors.names.index("f0")].isnan()
        frames = torch.ones_like(voiced), voiced
        return torch.cat([functionals(values, part)[0] for part in frames])


class Opensmile(torch.nn.Module):
    """Functionals of openSMILE.

    Arguments
    ---------
    feature_set : str
        One of ``OPENSMILE``.
    """

    def __init__(self, feature_set: str):
        super().__init__()
        require("opensmile")
        import opensmile

        self.feature_set, self.version = feature_set, opensmile.__version__
        self._smile = opensmile.Smile(opensmile.FeatureSet[feature_set])

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """As ``AcousticFeatures.forward``."""
        values = self._smile(waveform.cpu().numpy(), SAMPLE_RATE)
        # (1, features, 1)
        return torch.from_numpy(values[0, :, 0]).to(waveform.device)
