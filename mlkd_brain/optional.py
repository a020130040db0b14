"""Packages that only some commands need.

Authors
 * The MLKD team 2026
"""

import importlib.util

from mlkd_brain.errors import InputError

#: Packages that pip knows by another name.
PIP_NAMES = {"webrtcvad": "webrtcvad-wheels", "silero_vad": "silero-vad"}


def require(*packages):
    """Make sure that optional packages are installed.

    Arguments
    ---------
    *packages
        Names to import.

    Raises
    ------
    InputError
        With the command that installs what is missing.

    Example
    -------
    >>> require("torch")
    >>> require("torch", "no_such_package")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: no_such_package is not installed; run \
`pip install no_such_package`.
    """
    missing = [name for name in packages if not is_installed(name)]
    if missing:
        wanted = " ".join(PIP_NAMES.get(name, name) for name in missing)
        raise InputError(
            f"{', '.join(missing)} is not installed; "
            f"run `pip install {wanted}`."
        )


def is_installed(package):
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None
