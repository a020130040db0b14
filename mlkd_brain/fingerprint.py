"""Fingerprints: what a kept result depends on, as one short name.

Every cache of this project and every finished run is named after the
fingerprint of what it was made from: samples, settings, code and the versions
of the libraries that compute it.

Authors
 * The MLKD team 2026
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
import pathlib

LIBRARY = pathlib.Path(__file__).parent


def fingerprint(facts):
    """Fingerprint of plain data.

    Arguments
    ---------
    facts : object
        What json can write: dict, list, str, int, float, bool, None.

    Returns
    -------
    str
        16 hexadecimal digits.

    Example
    -------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_weights(model):
    """Fingerprint of a model's weights, their names and their types.

    Arguments
    ---------
    model : torch.nn.Module
        On any device.

    Returns
    -------
    str
        64 hexadecimal digits.

    Example
    -------
    >>> import torch
    >>> model = torch.nn.Linear(2, 2)
    >>> before = fingerprint_weights(model)
    >>> with torch.no_grad():
    ...     _ = model.bias.add_(1e-3)
    >>> fingerprint_weights(model) == before
    False
    """
    import torch  # here: the commands that print tables do without it

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        # flat, because a number alone cannot be viewed as bytes
        digest.update(value.cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def fingerprint_samples(waveform):
    """Fingerprint of a decoded recording.

    Arguments
    ---------
    waveform : np.ndarray or torch.Tensor
        (time,), on the CPU.

    Returns
    -------
    str
        32 hexadecimal digits; a gigabyte takes about a second.

    Example
    -------
    >>> import numpy as np
    >>> wave = np.array([0.5, -0.25], dtype=np.float32)
    >>> fingerprint_samples(wave) == fingerprint_samples(-wave)
    False
    """
    import numpy as np  # here: as torch in fingerprint_weights

    samples = np.ascontiguousarray(waveform, dtype=np.float32)
    return hashlib.blake2b(samples.data, digest_size=16).hexdigest()


def fingerprint_folder(folder, pattern="*"):
    """Fingerprint of a folder's files; the name itself where there is none.

    Arguments
    ---------
    folder : str or pathlib.Path
        Local folder, or a model's name on the hub.
    pattern : str
        Which files count.

    Returns
    -------
    str
        16 hexadecimal digits, or the name.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return str(folder)
    return fingerprint(
        {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob(pattern)
            if path.is_file()
        }
    )


@functools.cache
def fingerprint_code(*packages, files=()):
    """Fingerprint of the code that computes something.

    Arguments
    ---------
    *packages : str
        Folders of this library, e.g. "noise"; what lies beside them on the
        ground (``audio.py`` and so on) always counts.
    files : tuple of pathlib.Path
        More Python files, such as a recipe's script.

    Returns
    -------
    str
        Comments, docstrings and layout aside.

    Example
    -------
    >>> fingerprint_code("noise") == fingerprint_code("noise", "data")
    False
    """
    own = [*LIBRARY.glob("*.py")]
    for package in packages:
        own += (LIBRARY / package).glob("*.py")
    code = {str(path.relative_to(LIBRARY)): _code(path) for path in own}
    return fingerprint({**code, **{p.name: _code(p) for p in files}})


def _code(path):
    """The statements of a Python file, without docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def provenance(*packages, libraries=(), files=(), **facts):
    """All that something kept depends on: the one key of every cache.

    Arguments
    ---------
    *packages : str
        Folders of this library that compute it, see ``fingerprint_code``.
    libraries : tuple of str
        Packages that compute it, see ``library_versions``.
    files : tuple of pathlib.Path
        More code, see ``fingerprint_code``.
    **facts
        Its inputs and settings, as plain data: checksums of samples, weights.

    Returns
    -------
    dict
        Plain data; its ``fingerprint`` is the name of what is kept.

    Example
    -------
    >>> sorted(provenance("noise", libraries=("numpy",), samples="1f2e"))
    ['code', 'samples', 'versions']
    """
    return {
        **facts,
        "code": fingerprint_code(*packages, files=files),
        "versions": library_versions(*libraries),
    }


def library_versions(*packages):
    """Versions of the packages that compute something.

    Arguments
    ---------
    *packages : str
        Their names on the package index.

    Returns
    -------
    dict
        Name to version.

    Example
    -------
    >>> list(library_versions("numpy", "scipy"))
    ['numpy', 'scipy']
    """
    return {name: importlib.metadata.version(name) for name in packages}
