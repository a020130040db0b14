"""A loss that is not finite: which utterances, which term, and how to see it again.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

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
