"""Tensors on disk, one file a key.

Authors
 * The MLKD team 2026
"""

import hashlib
from urllib.parse import quote

from mlkd_brain.disk import replaced_file
from mlkd_brain.errors import InputError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

#: Bytes of a name before its suffix; file systems take 255 with it.
LONGEST_NAME = 200


class TensorStore:
    """A dictionary of named tensors by key, one memory-mapped file a key.

    Arguments
    ---------
    folder : pathlib.Path
        Exists before anything is written.

    Example
    -------
    >>> import torch
    >>> answers = TensorStore(getfixture("tmp_path"))
    >>> answers["u1"] = {"logits": torch.ones(4)}
    >>> "u1" in answers, "u2" in answers, answers["u1"]["logits"].sum().item()
    (True, False, 4.0)
    >>> answers["u" * 300] = {"logits": torch.zeros(4)}
    >>> "u" * 300 in answers, "u" * 301 in answers
    (True, False)
    """

    def __init__(self, folder):
        self.folder = folder

    def _path(self, key):
        name = quote(key, safe="")
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256(key.encode()).hexdigest()
            name = f"{name[: LONGEST_NAME - 65]}.{digest}"
        return self.folder / f"{name}.safetensors"

    def __contains__(self, key):
        """Whether the file is there and whole, so that its tensors can be read."""
        path = self._path(key)
        try:
            with safe_open(path, "pt"):  # compares its header with its size
                return True
        except (OSError, SafetensorError):
            return False

    def __setitem__(self, key, tensors):
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        with replaced_file(self._path(key), size) as unfinished:
            save_file(tensors, unfinished)

    def __getitem__(self, key):
        try:
            return load_file(self._path(key))
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{self._path(key)}: cannot be read ({error}). Delete it; the "
                "next start of the training computes it anew."
            ) from None
