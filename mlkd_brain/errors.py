"""Bad input, said in one line.

Authors
 * The MLKD team 2026
"""

import contextlib
import difflib
import errno
import logging
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterable

DEBUG = "--debug"  # shows where an ``InputError`` was raised
#: A disk or quota without room, and the largest file that a process may write.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: How libraries say it whose errors have no ``errno``: safetensors, torch, NumPy.
FULL_TEXT = re.compile(
    r"No space left|os error (28|122|27)\b|enforce fail at inline_container"
    r"|\d+ requested and \d+ written"
)
#: Exit status of a command that SIGTERM ended: "temporary failure, try again".
STOPPED = os.EX_TEMPFAIL


class InputError(ValueError):
    """Something the user gave is wrong: a folder, a file, a row, an option.

    The message says what is wrong, where, what is allowed and how to mend it.
    """


def is_full_disk(error):
    """Whether an exception says that there is no room to write.

    Example
    -------
    >>> is_full_disk(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> is_full_disk(OSError("20480 requested and 4096 written"))
    True
    >>> is_full_disk(OSError(errno.ENOENT, "No such file or directory"))
    False
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return FULL_TEXT.search(str(error)) is not None


@contextlib.contextmanager
def cli_errors():
    """Print an ``InputError`` as one line on standard error, then exit with 2.

    So is a full disk. SIGTERM ends the command with ``STOPPED``, by which a
    scheduler knows that it is to be started again. Every other exception keeps
    its traceback: it is a bug, not bad input. ``--debug`` in the command line
    shows that of an ``InputError``, too.

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
        with _stopped_by_sigterm():
            yield
    except InputError as error:
        print_refusal(error)
        raise SystemExit(2) from None
    except OSError as error:
        if not is_full_disk(error):
            raise
        print(
            f"error: {error.filename or 'a file'}: cannot be written, the disk "
            f"or the quota is full ({error.strerror or error}). Make room and "
            "give the same command again.",
            file=sys.stderr,
        )
        raise SystemExit(2) from None


@contextlib.contextmanager
def _stopped_by_sigterm():
    """Every file is written whole or not at all, so it can end at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no handler can be set
        return

    def stop(*_):
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(STOPPED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
