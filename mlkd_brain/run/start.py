"""What every command does before torch is loaded.

Authors
 * The MLKD team 2026
"""

import os
import pathlib

from mlkd_brain.errors import cli_errors
from mlkd_brain.run.command_line import read_command_line

#: What libraries read once, when they are loaded; what is set already stays.
ENVIRONMENT = {
    # two threads that wait for one another by spinning starve on a busy machine
    "OMP_WAIT_POLICY": "PASSIVE",
    # oneDNN caches compiled code for the last 1024 shapes of a batch; every batch
    # has another length: gigabytes on a CPU, and no faster
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "8",
}


def set_environment() -> None:
    """Set what libraries read from the environment, unless it is set.

    Example
    -------
    >>> set_environment()
    >>> os.environ["OMP_WAIT_POLICY"]
    'PASSIVE'
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def start_script(argv: list[str], about: str) -> None:
    """Answer ``--help`` and refuse wrong options, in less than a second.

    Arguments
    ---------
    argv : list of str
        The script and its options.
    about : str
        Its docstring.

    Raises
    ------
    SystemExit
        With code 0 after ``--help``, with 2 if an option is wrong.
    """
    set_environment()
    script, *words = argv
    with cli_errors():
        read_command_line(words, pathlib.Path(script).name, about)
