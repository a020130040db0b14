"""Bad input, said in one line.

Authors
 * The MLKD team 2026
"""

import contextlib
import difflib
import logging
import sys
import traceback
from collections.abc import Iterable

DEBUG = "--debug"  # shows where an ``InputError`` was raised


class InputError(ValueError):
    """Something the user gave is wrong: a folder, a file, a row, an option.

    The message says what is wrong, where, what is allowed and how to mend it.
    """


@contextlib.contextmanager
def cli_errors():
    """Print an ``InputError`` as one line on standard error, then exit with 2.

    Every other exception keeps its traceback: it is a bug, not bad input.
    ``--debug`` in the command line shows that of an ``InputError``, too.

    Raises
    ------
    SystemExit
        With code 2, after an ``InputError``.

    Example
    -------
    >>> with cli_errors():
    ...     raise InputError("fold is 11; folds go from 1 to 10.")
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """
    try:
        yield
    except InputError as error:
        print_refusal(error)
        raise SystemExit(2) from None


def print_refusal(error: InputError) -> None:
    """Print an ``InputError``: one line, or all of it with ``--debug``.

    The log of a run, where there is one, gets the traceback anyway.
    """
    logging.getLogger("mlkd_brain").debug("refused", exc_info=error)
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    print(f"error: {error}", file=sys.stderr)


def nearest(word: str, words: Iterable[str]) -> str:
    """A question after the most similar of some words; empty if none is.

    Example
    -------
    >>> nearest("foldd", ["seed", "fold"]), nearest("x", ["fold"])
    (" Did you mean 'fold'?", '')
    """
    found = difflib.get_close_matches(word, sorted(words), n=1)
    return f" Did you mean '{found[0]}'?" if found else ""
