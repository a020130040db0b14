"""Weighted and unweighted accuracy; how near a waveform is to the clean one.

Authors
 * The MLKD team 2026
"""

import numpy as np


def unweighted_accuracy(references, predictions):
    """Mean of the per-class recalls (UA), over the classes that occur.

    Arguments
    ---------
    references : sequence
        True class of each utterance.
    predictions : sequence
        Predicted class of each utterance, in the same order.

    Raises
    ------
    ValueError
        If the two differ in length or are empty.

    Returns
    -------
    float
        In [0, 1].

    Example
    -------
    >>> references = ["sad", "sad", "sad", "sad", "ang"]
    >>> always_sad = ["sad"] * 5
    >>> unweighted_accuracy(references, always_sad)
    0.5
    >>> weighted_accuracy(references, always_sad)
    0.8
    """
    references, predictions = _pair(references, predictions)
    recalls = [
        np.mean(predictions[references == name] == name)
        for name in np.unique(references)
    ]
    return float(np.mean(recalls))


def weighted_accuracy(references, predictions):
    """Share of utterances that are classified correctly (WA).

    Arguments
    ---------
    references : sequence
        True class of each utterance.
    predictions : sequence
        Predicted class of each utterance, in the same order.

    Raises
    ------
    ValueError
        If the two differ in length or are empty.

    Returns
    -------
    float
        In [0, 1].

    Example
    -------
    >>> weighted_accuracy([0, 1, 2, 3], [0, 1, 2, 0])
    0.75
    """
    references, predictions = _pair(references, predictions)
    return float(np.mean(references == predictions))


def _pair(references, predictions):
    if len(references) != len(predictions) or len(references) == 0:
        raise ValueError(
            f"{len(references)} references and {len(predictions)} predictions; "
            "accuracy needs as many of one as of the other, and at least one."
        )
    return np.asarray(references), np.asarray(predictions)


def sdr_db(clean, estimate):
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

    >>> import torch
    >>> round(sdr_db(torch.ones(100), torch.full((100,), 0.9)), 4)
    20.0
    """
    distortion = (clean - estimate).double().square().sum()
    return 10 * (clean.double().square().sum() / distortion).log10().item()


def si_sdr_db(clean, estimate):
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
    >>> import torch
    >>> ramp = torch.linspace(-1, 1, 100)
    >>> si_sdr_db(ramp, 0.5 * ramp) > 60
    True
    """
    # here, because only the measurement of an enhancement needs it
    from speechbrain.nnet.losses import cal_si_snr

    clean, estimate = clean.clone(), estimate.clone()  # are changed in place
    return -cal_si_snr(clean[:, None, None], estimate[:, None, None]).item()
