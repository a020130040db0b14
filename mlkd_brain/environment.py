"""What libraries read from the environment when they are loaded.

Authors
 * The MLKD team 2026
"""

import os

#: Unless it is set.
ENVIRONMENT = {
    # two threads that wait for one another by spinning starve on a busy machine
    "OMP_WAIT_POLICY": "PASSIVE",
    # oneDNN caches compiled code for the last 1024 shapes of a batch; every batch
    # has another length: gigabytes on a CPU, and no faster
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "8",
    "TQDM_LEAVE": "",  # a bar goes when it is done; what was done has its line
}


def set_environment() -> None:
    """Set it, before torch is loaded; what is set already stays.

    Example
    -------
    >>> set_environment()
    >>> "OMP_WAIT_POLICY" in os.environ
    True
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
