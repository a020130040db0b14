"""Room on a disk: predicted before long work, and one line when there is none.

Authors
 * The MLKD team 2026
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from mlkd_brain.errors import InputError, is_full_disk

REMEDY = "Make room and give the same command again: it goes on from there."


def human_size(size: float) -> str:
    """A number of bytes in the unit that shows it, with factors of 1000.

    Example
    -------
    >>> [human_size(size) for size in (0, 999, 1234, 5.6e6, 1.14e9, 2e12)]
    ['0 bytes', '999 bytes', '1.2 kB', '5.6 MB', '1.1 GB', '2000.0 GB']
    """
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            break
    return f"{size:.1f} {unit}"


def free_space(path: str | pathlib.Path) -> int:
    """Bytes left on the disk that a file or folder is on, or would be on.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> free_space(folder / "not" / "there") > 0
    True
    """
    path = pathlib.Path(path).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(
    path: str | pathlib.Path, size: float, what: str, remedy: str = REMEDY
) -> None:
    """Refuse work whose result the disk cannot hold.

    Arguments
    ---------
    path : str or pathlib.Path
        What will be written; need not exist.
    size : float
        Bytes.
    what : str
        What it is, for the message.
    remedy : str
        What the user can do.

    Raises
    ------
    InputError
        With the size, what is missing, and the remedy.

    Example
    -------
    >>> require_space("save", 1e3, "a checkpoint")
    >>> require_space("save", 1e18, "a checkpoint")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: save: a checkpoint takes 1000000000.0 GB, \
for which ...
    """
    free = free_space(path)
    if size > free:
        raise InputError(
            f"{path}: {what} takes {human_size(size)}, for which "
            f"{human_size(size - free)} are missing: {human_size(free)} of the "
            f"disk are left. {remedy}"
        )


@contextlib.contextmanager
def writing(
    path: str | pathlib.Path, size: float | None = None
) -> Iterator[None]:
    """Have a full disk be one line that names the file.

    Arguments
    ---------
    path : str or pathlib.Path
        What is written in the block; none of it is left when the block ends
        with an error.
    size : float, optional
        Its bytes, if they are known.

    Raises
    ------
    InputError
        Instead of what the libraries raise when a disk or a quota is full.

    Example
    -------
    >>> import errno
    >>> with writing("save/model.ckpt", 2e18):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: save/model.ckpt: cannot be written, the disk \
or the quota is full: ...
    """
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        free = free_space(path)
        needed = ""
        if size is not None:
            # with a quota there may be more on the disk than may be used
            missing = human_size(size - free) if free < size else "some"
            needed = f" It takes {human_size(size)}, {missing} of it missing."
        raise InputError(
            f"{path}: cannot be written, the disk or the quota is full: "
            f"{human_size(free)} left.{needed} {REMEDY}"
        ) from None


@contextlib.contextmanager
def replaced_file(
    path: str | pathlib.Path, size: float | None = None
) -> Iterator[pathlib.Path]:
    """A temporary file that takes another's place when all went well.

    Arguments
    ---------
    path : str or pathlib.Path
        What is replaced; untouched when the block raises.
    size : float, optional
        Bytes that will be written, if they are known.

    Raises
    ------
    InputError
        See ``writing``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "grid.csv"
    >>> with replaced_file(path) as unfinished:
    ...     _ = unfinished.write_text("whole")
    >>> path.read_text(), unfinished.exists()
    ('whole', False)
    """
    unfinished = pathlib.Path(f"{path}.unfinished")
    with writing(path, size):
        try:
            yield unfinished
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    os.replace(unfinished, path)
