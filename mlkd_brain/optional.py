"""What a machine may lack: packages that only some commands need, a GPU.

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


def refuse_missing_device(device):
    """Make sure that torch can compute where it is asked to.

    Arguments
    ---------
    device : str or None
        As for torch, e.g. "cpu" or "cuda:1"; None leaves the choice to torch.

    Raises
    ------
    InputError
        If it is no device, or this machine has none such.

    Example
    -------
    >>> refuse_missing_device("cpu")
    >>> refuse_missing_device("abacus")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: device is 'abacus', which this machine does \
not have; it has cpu.
    """
    if device is None:
        return
    import torch  # here: packages are asked for without it

    has, kind = ["cpu"], torch.accelerator.current_accelerator()
    count = torch.accelerator.device_count()
    has += [f"{kind.type}:{i}" for i in range(count)] if kind else []
    known = {*has, kind.type} if has[1:] else {*has}
    if device not in known:
        raise InputError(
            f"device is '{device}', which this machine does not have; it has "
            f"{', '.join(has)}."
        )
