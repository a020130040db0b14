"""How near an enhanced waveform is to the clean one.

Authors
 * The MLKD team 2026
"""

import torch
from speechbrain.nnet.losses import cal_si_snr


def sdr_db(clean: torch.Tensor, estimate: torch.Tensor) -> float:
    """Signal-to-distortion ratio; a wrong scale counts as distortion.

    Arguments
    ---------
    clean, estimate : torch.Tensor
        (time,)

    Returns
    -------
    float
        dB.

    Example
    -------
    A tenth of the amplitude is missing, a hundredth of the power:

    >>> round(sdr_db(torch.ones(100), torch.full((100,), 0.9)), 4)
    20.0
    """
    distortion = (clean - estimate).double().square().sum()
    return 10 * (clean.double().square().sum() / distortion).log10().item()


def si_sdr_db(clean: torch.Tensor, estimate: torch.Tensor) -> float:
    """The same for the best scale and without the means, by SpeechBrain.

    Arguments
    ---------
    clean, estimate : torch.Tensor
        (time,)

    Returns
    -------
    float
        dB.

    Example
    -------
    >>> ramp = torch.linspace(-1, 1, 100)
    >>> si_sdr_db(ramp, 0.5 * ramp) > 60
    True
    """
    clean, estimate = clean.clone(), estimate.clone()  # are changed in place
    return -cal_si_snr(clean[:, None, None], estimate[:, None, None]).item()
