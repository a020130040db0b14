"""The files of a checkpoint: digests when it is written, damage when it is read.

Authors
 * The MLKD team 2026
"""

import hashlib
import json
import pathlib
import zipfile
from collections.abc import Collection
from typing import Any

import yaml

from speechbrain.utils.checkpoints import METAFNAME

DIGESTS = "sha256.json"  # in a checkpoint: file to digest


def find_damage(
    path: pathlib.Path, names: Collection[str] | None = None
) -> str | None:
    """Say what is wrong with a checkpoint's files.

    Those of earlier versions have no digests: an empty file and half a file of
    torch are recognised.

    Arguments
    ---------
    path : pathlib.Path
        Folder of a checkpoint.
    names : collection of str, optional
        Objects whose files matter; all by default.

    Returns
    -------
    str or None
        E.g. "model.ckpt is damaged"; None if they are as they were written.

    Example
    -------
    >>> path = getfixture("tmp_path")
    >>> _ = (path / "counter.ckpt").write_text("3")
    >>> seal(path)
    >>> find_damage(path)
    >>> _ = (path / "counter.ckpt").write_text("")
    >>> find_damage(path)
    'counter.ckpt is damaged'
    """
    wanted = {f"{name}.ckpt" for name in names} if names is not None else None
    digests = path / DIGESTS
    if not digests.exists():
        files = [
            f for f in path.glob("*.ckpt") if not wanted or f.name in wanted
        ]
        damaged = [f.name for f in files if _looks_damaged(f)]
        return f"{damaged[0]} is damaged" if damaged else None
    try:
        recorded = json.loads(digests.read_text(encoding="utf-8"))
        for name, digest in recorded.items():
            if wanted is None or name in wanted or name == METAFNAME:
                if not (path / name).is_file():
                    return f"{name} is missing"
                if digest_of(path / name) != digest:
                    return f"{name} is damaged"
    except (OSError, ValueError, AttributeError):
        return f"{DIGESTS} is damaged"
    return None


def _looks_damaged(path):
    with open(path, "rb") as file:
        start = file.read(2)
    torch_file = start == b"PK"
    return not start or (torch_file and not zipfile.is_zipfile(path))


def seal(folder: pathlib.Path) -> None:
    """Write the digests of a checkpoint's files into it.

    Nothing waits for the disk: what a machine that loses its power had not
    written yet is known for damaged, and the checkpoint before it is used.
    """
    files = sorted(folder.iterdir())
    digests = {file.name: digest_of(file) for file in files}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=2) + "\n")


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_meta(path: pathlib.Path) -> dict[str, Any] | None:
    """Read the meta file of a checkpoint; None if that is not possible."""
    try:
        with open(path / METAFNAME, encoding="utf-8") as file:
            meta = yaml.safe_load(file)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return meta if isinstance(meta, dict) and "unixtime" in meta else None
