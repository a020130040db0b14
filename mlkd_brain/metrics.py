"""Weighted and unweighted accuracy.

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
