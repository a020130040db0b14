"""Packages that only some commands need.

Authors
 * The MLKD team 2026
"""

import importlib.util

from mlkd_brain.errors import InputError


def require(*packages):
    """Make sure that optional packages are installed.

    Arguments
    ---------
    *packages
        Names to import, which are also their names for pip.

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
        raise InputError(
            f"{', '.join(missing)} is not installed; "
            f"run `pip install {' '.join(missing)}`."
        )


def is_installed(package):
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None
