"""What is not finite: a loss, with all that is needed to see it again; a weight.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import numpy as np
import torch
from mlkd_brain.disk import replaced_file
from mlkd_brain.errors import InputError

NONFINITE = "nonfinite.pt"  # in the folder of a run


def stop_nonfinite(
    folder: str | pathlib.Path,
    where: dict[str, Any],
    terms: dict[str, Any],
    batch: Any,
    modules: torch.nn.Module,
    samplers: dict[str, Any],
) -> None:
    """Keep what gave the loss, and end the run.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of the run. ``nonfinite.pt`` goes there: ``batch`` (key to what the
        batch holds: padded tensor, relative lengths), ``modules`` (weights),
        ``terms`` and the keys of ``where``; ``torch.load`` reads it.
    where : dict
        ``stage``, ``epoch``, ``step`` and ``seed``.
    terms : dict
        Name of each term of the loss to its value.
    batch : speechbrain.dataio.batch.PaddedBatch
        With "id".
    modules : torch.nn.Module
        Of the Brain, as they were before this batch.
    samplers : dict
        Stage to ``NoiseSampler``; may be empty.

    Raises
    ------
    InputError
        Always.
    """
    held = {key: batch[key] for key in batch._PaddedBatch__keys}
    content = {
        "batch": {
            key: list(v) if isinstance(v, list) else [v.data, v.lengths]
            for key, v in held.items()
        },
        "terms": {name: float(value.detach()) for name, value in terms.items()},
        "modules": modules.state_dict(),
        **where,
    }
    path = pathlib.Path(folder) / NONFINITE
    with replaced_file(path) as unfinished:
        torch.save(content, unfinished)
    bad = [n for n, v in content["terms"].items() if not abs(v) < float("inf")]
    suspects = _suspects(held) or list(batch.id)
    sampler = samplers.get(where["stage"])
    shown = ", ".join(_describe(name, sampler) for name in suspects)
    raise InputError(
        f"the loss is not finite ({where['stage']}, epoch {where['epoch']}, "
        f"batch {where['step']}): {', '.join(bad)} of {shown}"
        f"{_weights(modules)}. {path} holds the batch and the weights. The last "
        "checkpoint is as it was; mend the recordings, or try a smaller --lr or "
        "--precision fp32."
    )


def _suspects(held):
    """Utterances with a number that is not finite, if it is in the batch."""
    found = {
        name
        for key, padded in held.items()
        if not isinstance(padded, list) and padded.data.is_floating_point()
        for name, row in zip(held["id"], padded.data)
        if not row.isfinite().all()
    }
    return sorted(found)


def _describe(name, sampler):
    if sampler is None:
        return name
    noise = sampler.sample(name)
    return (
        f"{name} with {noise.noise} at {noise.snr_db:g} dB from "
        f"{noise.position:.4f} of its range"
    )


def _weights(modules):
    """Whether it was there before: a step made the weights so."""
    for name, value in modules.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            return f"; the weight {name} was not finite before"
    return ""


def refuse_nonfinite(
    folder: str | pathlib.Path,
    meta: dict[str, Any],
    recoverables: dict[str, Any],
) -> None:
    """Refuse numbers and weights that are not finite.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of the checkpoints, for the message.
    meta : dict
        Of the checkpoint.
    recoverables : dict
        Name to object; only modules are looked at.

    Raises
    ------
    InputError
        Naming the first.

    Example
    -------
    >>> refuse_nonfinite("save", {"UA": [0.5, -1.2]}, {})
    >>> refuse_nonfinite("save", {"UA": [0.5, float("nan")]}, {})
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: save: no checkpoint is kept of UA [0.5, nan], \
which is not finite. ...
    """
    named = {
        f"the weight {module}.{name}": value
        for module, held in recoverables.items()
        if isinstance(held, torch.nn.Module)
        for name, value in held.state_dict().items()
        if value.is_floating_point()
    }
    for key, value in meta.items():
        if not np.isfinite(value).all():
            named[f"{key} {value}"] = torch.tensor(torch.nan)
    # one by one: an objective's buffers are on the CPU, whatever the model is on
    bad = [n for n, value in named.items() if not value.isfinite().all()]
    if bad:
        raise InputError(
            f"{folder}: no checkpoint is kept of {bad[0]}, which is not finite. "
            "The checkpoint before it stays; try a smaller --lr or --precision "
            "fp32."
        )
