"""What every command does before torch is loaded.

Authors
 * The MLKD team 2026
"""

import pathlib
from collections.abc import Callable

from mlkd_brain.environment import set_environment
from mlkd_brain.errors import cli_errors
from mlkd_brain.run.command_line import read_command_line


def start_script(
    argv: list[str],
    about: str,
    in_full: Callable[[list[str]], list[str]] = list,
) -> None:
    """Answer ``--help`` and refuse wrong options, in less than a second.

    Arguments
    ---------
    argv : list of str
        The script and its options.
    about : str
        Its docstring.
    in_full : callable
        From the options that were given to those that are checked.

    Raises
    ------
    SystemExit
        With code 0 after ``--help``, with 2 if an option is wrong.
    """
    set_environment()
    script, *words = argv
    with cli_errors():
        read_command_line(in_full(words), pathlib.Path(script).name, about)
