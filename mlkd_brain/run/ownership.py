"""One process at a time works in the folder of a run.

Authors
 * The MLKD team 2026
"""

import contextlib
import errno
import fcntl
import logging
import os
import pathlib
import socket
import time
from collections.abc import Iterator

from mlkd_brain.errors import InputError

from speechbrain.utils.distributed import if_main_process

logger = logging.getLogger(__name__)

OWNER = ".owner"  # in the folder of a run: who works in it


@contextlib.contextmanager
def owned(folder: str | pathlib.Path) -> Iterator[None]:
    """Refuse to work in a run's folder while another process does.

    The lock is the kernel's (``flock``): it ends with its process, however that
    ends, and NFS keeps it among hosts. A loader's workers, which live on for
    seconds when a training is killed, do not inherit it, as they would that of
    ``mlkd_brain.files.locked``. Of processes that train together the first one
    has it.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of the run; made if it is missing, removed if nothing came into it.

    Raises
    ------
    InputError
        With the other process's number, host and start.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "fold_1"
    >>> with owned(folder):
    ...     (folder / OWNER).read_text().split()[0] == str(os.getpid())
    True
    >>> folder.exists()
    False
    """
    if not if_main_process():
        yield
        return
    folder = pathlib.Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked_file(folder) as file:
        file.truncate(0)
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(f"{os.getpid()} {socket.gethostname()} {started}\n")
        file.flush()
        try:
            yield
        finally:
            _remove_if_empty(folder, made)


def _locked_file(folder):
    while True:
        # "a": who is refused must not empty the owner's file
        file = open(folder / OWNER, "a+", encoding="utf-8")
        try:
            _lock(file, folder)
            os.register_at_fork(after_in_child=file.close)
            # an owner that ended meanwhile may have removed it
            if os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
                return file
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file, folder):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            logger.warning(
                f"{folder}: its file system has no locks ({error.strerror}); "
                "see to it that no other process works there."
            )
            return
        file.seek(0)
        pid, host, *started = (file.read().split() or ["?", "?"])[:4]
        raise InputError(
            f"{folder}: process {pid} on {host} works there"
            f"{' since ' + ' '.join(started) if started else ''}. Wait for it or "
            "end it, or give this run a name of its own with --system."
        ) from None


def _remove_if_empty(folder, made):
    """A refused command leaves no folder behind."""
    (folder / OWNER).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for path in made:
            path.rmdir()
