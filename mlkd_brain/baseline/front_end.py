"""The baseline's front end: speech enhancement and voice activity detection.

Source: Pandharipande, Chakraborty, Panda, Kopparapu, "Robust front-end processing
for emotion recognition in noisy speech", ISCSLP 2018. Which step comes first is
not known.

Authors
 * The MLKD team 2026
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from mlkd_brain.errors import InputError

ORDERS = ("nmf_then_vad", "vad_then_nmf")


class FrontEnd(torch.nn.Module):
    """Enhancement and voice activity detection, in either order or left out.

    Arguments
    ---------
    enhancement : mlkd_brain.baseline.enhancement.NmfEnhancement, optional
        Removes noise.
    vad : mlkd_brain.baseline.vad.VoiceActivity, optional
        Removes pauses.
    order : str
        "nmf_then_vad" or "vad_then_nmf".

    Raises
    ------
    InputError
        If there is no such order.

    Example
    -------
    >>> utterance = torch.ones(16000)
    >>> FrontEnd()(utterance) is utterance
    True
    """

    def __init__(
        self, enhancement: Any = None, vad: Any = None, order: str = ORDERS[0]
    ):
        super().__init__()
        if order not in ORDERS:
            raise InputError(
                f"Bad value '{order}' for order, expected one of "
                f"{list(ORDERS)}."
            )
        self.enhancement, self.vad, self.order = enhancement, vad, order

    def learn(
        self, speech: Iterable[torch.Tensor], noises: dict[str, np.ndarray]
    ) -> None:
        """Learn the atoms of the enhancement, if there is one.

        Arguments
        ---------
        speech : iterable of torch.Tensor
            Clean training utterances at 16 kHz, each (time,), float32.
        noises : dict
            Noise type to the training range of its recording, (time,), float32.
        """
        if self.enhancement is not None:
            self.enhancement.learn(speech, noises)

    def forward(
        self, waveform: torch.Tensor, noise: str | None = None
    ) -> torch.Tensor:
        """The utterance after both steps.

        Arguments
        ---------
        waveform : torch.Tensor
            At 16 kHz, (time,), at least one sample.
        noise : str, optional
            True noise type, for ``knowledge: oracle``; None for clean speech or
            when it is not known.

        Returns
        -------
        torch.Tensor
            (time',), at most as long.
        """
        if self.vad is not None and self.order == "vad_then_nmf":
            waveform = self.vad(waveform)
        if self.enhancement is not None:
            waveform = self.enhancement(waveform, noise)
        if self.vad is not None and self.order == "nmf_then_vad":
            waveform = self.vad(waveform)
        return waveform
