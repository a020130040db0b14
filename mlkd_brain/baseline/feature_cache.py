"""What the baseline makes of a waveform before it is classified, computed once.

Test utterances are heard in the same mixtures by every system, and again when
a run is evaluated anew; clean training utterances are shared by folds.

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib

import torch

from mlkd_brain.errors import InputError
from mlkd_brain.files import locked
from mlkd_brain.fingerprint import (
    fingerprint,
    fingerprint_code,
    fingerprint_weights,
)
from mlkd_brain.tensor_store import TensorStore

KINDS = ("none", "disk")


class FeatureCache:
    """Keeps features by the samples they were computed from.

    On disk there is one file a waveform, written whole or not at all, in a
    folder that is named after the settings, the learned tensors and the code of
    whatever computes them: nothing stale is read, and a number is the same with
    the cache as without.

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

    def __init__(self, kind, folder):
        if kind not in KINDS:
            raise InputError(
                f"Bad value '{kind}' for feature_cache, expected one of "
                f"{list(KINDS)}."
            )
        self.kind, self.folder = kind, pathlib.Path(folder)

    def of(self, *modules):
        """The place for what some modules compute, as they are now.

        Arguments
        ---------
        *modules : torch.nn.Module
            All that decides on the features.

        Returns
        -------
        KeptFeatures or None
            None where nothing is kept.
        """
        if self.kind == "none":
            return None
        made = [[settings_of(m), fingerprint_weights(m)] for m in modules]
        code = fingerprint_code("noise", "data", "baseline")
        folder = self.folder / fingerprint([made, code, torch.__version__])
        folder.mkdir(parents=True, exist_ok=True)
        return KeptFeatures(folder)


class KeptFeatures(TensorStore):
    """Features by waveform and by what else was known of it.

    Example
    -------
    >>> kept = KeptFeatures(getfixture("tmp_path"))
    >>> wav, calls = torch.ones(8), []
    >>> def mean(wav):
    ...     calls.append(1)
    ...     return wav.mean()[None]
    >>> [kept.get(wav, "volvo", mean).item() for _ in range(3)], len(calls)
    ([1.0, 1.0, 1.0], 1)
    """

    def get(self, waveform, told, compute):
        """What is kept, or what is computed now and kept.

        Arguments
        ---------
        waveform : torch.Tensor
            (time,)
        told : str
            What else is known.
        compute : callable
            Gives the features of the waveform, (features,).

        Returns
        -------
        torch.Tensor
            (features,), on the waveform's device.
        """
        samples = waveform.cpu().contiguous().numpy().tobytes()
        key = f"{hashlib.blake2b(samples, digest_size=16).hexdigest()}_{told}"
        if key not in self:
            features = {"features": compute(waveform).cpu()}
            with locked(self.folder):  # runs of one fold keep the same
                self[key] = features
        return self[key]["features"].to(waveform.device)


def settings_of(thing):
    """Plain attributes of an object, of what it holds, and so on.

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
    held = dict(thing) if isinstance(thing, dict) else _attributes(thing)
    return [
        f"{type(thing).__module__}.{type(thing).__qualname__}",
        {str(name): settings_of(value) for name, value in held.items()},
    ]


def _attributes(thing):
    """Public attributes; of a torch module those that are its own."""
    if isinstance(thing, torch.Tensor):
        return {}  # told by ``fingerprint_weights``
    public = {
        name: value
        for name, value in getattr(thing, "__dict__", {}).items()
        if not name.startswith("_") and name != "training"
    }
    if isinstance(thing, torch.nn.Module):
        public.update(thing.named_children())
    return public
