"""Bad input, in one line; and what a command prints, whoever reads it.

Authors
 * The MLKD team 2026
"""

import contextlib
import difflib
import errno
import logging
import os
import re
import select
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

CLOSED_PIPE = 141  # exit status of a program that SIGPIPE ends, in a shell


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
    When whoever reads the output has closed it (``| head -1``), the program ends
    quietly. A name that cannot be encoded is escaped, not an error.

    Raises
    ------
    SystemExit
        With code 2, after an ``InputError``; with 141, after a closed pipe.

    Example
    -------
    >>> with cli_errors():
    ...     raise InputError("fold is 11; folds go from 1 to 10.")
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _stopped_by_sigterm(), _refusals():
            yield
    except BrokenPipeError:
        if not _close_broken():
            raise
        raise SystemExit(CLOSED_PIPE) from None


@contextlib.contextmanager
def _refusals():
    """One line for what the user or the disk has to mend."""
    try:
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
    finally:
        sys.stdout.flush()  # here, and not at exit, where nobody catches


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


def _close_broken():
    """Whether a standard stream is broken; those that are lead nowhere now."""
    broken = [s for s in (sys.stdout, sys.stderr) if _is_broken(s)]
    for stream in broken:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(broken)


def _is_broken(stream):
    """Whether nobody reads any more what is written here."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # errors are reported unasked
    return bool(poll.poll(0))


def printable(text):
    r"""Text in one line, with what cannot be printed escaped.

    Example
    -------
    >>> printable("a\nb\udcff.wav")
    'a\\nb\\udcff.wav'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


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
