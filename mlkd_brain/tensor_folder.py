"""Tensors kept in a folder that is named after what decides on them.

Authors
 * The MLKD team 2026
"""

import hashlib
import json
import os
from urllib.parse import quote

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mlkd_brain.errors import InputError


class SafetensorsFolder:
    """A dictionary of named tensors by key, one memory-mapped file a key.

    Arguments
    ---------
    folder : pathlib.Path
        Exists before anything is written.

    Example
    -------
    >>> answers = SafetensorsFolder(getfixture("tmp_path"))
    >>> answers["u1"] = {"logits": torch.ones(4)}
    >>> "u1" in answers, "u2" in answers, answers["u1"]["logits"].sum().item()
    (True, False, 4.0)
    """

    def __init__(self, folder):
        self.folder = folder

    def _path(self, key):
        return self.folder / f"{quote(key, safe='')}.safetensors"

    def __contains__(self, key):
        return self._path(key).is_file()

    def __setitem__(self, key, tensors):
        unfinished = self._path(key).with_suffix(".unfinished")
        save_file(tensors, unfinished)
        os.replace(unfinished, self._path(key))

    def __getitem__(self, key):
        try:
            return load_file(self._path(key))
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{self._path(key)}: cannot be read ({error}). Delete it; the "
                "next start of the training computes it anew."
            ) from None


def fingerprint(model):
    """Digest of a model's weights, their names and their types.

    Example
    -------
    >>> model = torch.nn.Linear(2, 2)
    >>> before = fingerprint(model)
    >>> with torch.no_grad():
    ...     _ = model.bias.add_(1e-3)
    >>> fingerprint(model) == before
    False
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        # flat, because a number alone cannot be viewed as bytes
        digest.update(value.cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def digest_of(facts):
    """Short digest of plain data.

    Example
    -------
    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
