"""Features of a waveform, computed once and shared by runs.

Every system is tested on the same mixtures, and an evaluation may be repeated;
clean training utterances are shared by folds.

Authors
 * The MLKD team 2026
"""

import pathlib
from collections.abc import Callable
from typing import Any

import torch
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked
from mlkd_brain.fingerprint import (
    fingerprint,
    fingerprint_samples,
    fingerprint_weights,
    provenance,
)
from mlkd_brain.tensor_store import TensorStore

KINDS = ("none", "disk")
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio")


class FeatureCache:
    """Keeps features by the samples they were computed from.

    On disk there is one file a waveform, in a folder named after the settings,
    the learned tensors and the code of the modules that compute it, and after
    the versions of the libraries. Nothing stale is read, and numbers are the
    same with the cache as without.

    Arguments
    ---------
    kind : str
        "disk", or "none" to compute everything anew.
    folder : str or pathlib.Path
        Where "disk" keeps its folders. They can be deleted at any time.

    Raises
    ------
    InputError
        If the kind is unknown.
    """

    def __init__(self, kind: str, folder: str | pathlib.Path):
        if kind not in KINDS:
            raise InputError(
                f"Bad value '{kind}' for feature_cache, expected one of "
                f"{list(KINDS)}."
            )
        self.kind, self.folder = kind, pathlib.Path(folder)

    def store_for(self, *modules: torch.nn.Module) -> TensorStore | None:
        """The store of what some modules compute, as they are now.

        Arguments
        ---------
        *modules : torch.nn.Module
            All that the features depend on.

        Returns
        -------
        TensorStore or None
            None where nothing is kept.
        """
        if self.kind == "none":
            return None
        facts = provenance(
            *("noise", "data", "baseline"),
            libraries=LIBRARIES,
            modules=[[settings_of(m), fingerprint_weights(m)] for m in modules],
        )
        folder = self.folder / fingerprint(facts)
        folder.mkdir(parents=True, exist_ok=True)
        return TensorStore(folder)


def cached(
    store: TensorStore | None,
    waveform: torch.Tensor,
    condition: str,
    compute: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Features from a store, or computed now and put there.

    Arguments
    ---------
    store : TensorStore or None
        Of ``FeatureCache.store_for``; None computes every time.
    waveform : torch.Tensor
        (time,)
    condition : str
        Noise type or "clean", which an oracle knows.
    compute : callable
        Gives the features of the waveform, (features,).

    Returns
    -------
    torch.Tensor
        (features,), on the waveform's device.

    Example
    -------
    >>> store, calls = TensorStore(getfixture("tmp_path")), []
    >>> def mean(wav):
    ...     calls.append(1)
    ...     return wav.mean()[None]
    >>> values = [cached(store, torch.ones(8), "volvo", mean) for _ in range(3)]
    >>> torch.stack(values).flatten().tolist(), len(calls)
    ([1.0, 1.0, 1.0], 1)
    """
    if store is None:
        return compute(waveform)
    key = f"{fingerprint_samples(waveform.cpu())}_{condition}"
    if key not in store:
        features = {"features": compute(waveform).cpu()}
        with locked(store.folder):  # another fold may write the same file
            store[key] = features
    return store[key]["features"].to(waveform.device)


def settings_of(thing: Any) -> Any:
    """Public attributes of an object and of all that it holds, as plain data.

    Tensors have none: ``fingerprint_weights`` covers them.

    Example
    -------
    >>> class Vad:
    ...     def __init__(self):
    ...         self.hangover, self._memory = 0.1, [1.0]
    >>> settings_of(Vad())[1]
    {'hangover': 0.1}
    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, (list, tuple)):
        return [settings_of(item) for item in thing]
    held = dict(thing if isinstance(thing, dict) else _public(thing))
    if isinstance(thing, torch.nn.Module):
        held.pop("training")
        held.update(thing.named_children())
    kind = type(thing)
    return [
        f"{kind.__module__}.{kind.__qualname__}",
        {str(name): settings_of(value) for name, value in held.items()},
    ]


def _public(thing):
    attributes = getattr(thing, "__dict__", {})
    return {k: v for k, v in attributes.items() if not k.startswith("_")}
