"""Files that are written whole or not at all.

Authors
 * The MLKD team 2026
"""

import contextlib
import json
import lzma
import os
import pathlib
import shutil
import tempfile

from filelock import FileLock
from mlkd_brain.disk import replaced_file, writing
from mlkd_brain.errors import InputError, is_full_disk, printable


class replaced_folder:
    """A temporary folder that takes another's place when all went well.

    Arguments
    ---------
    folder : pathlib.Path
        What is replaced; untouched when the block raises.

    Example
    -------
    >>> target = getfixture("tmp_path") / "target"
    >>> with replaced_folder(target) as folder:
    ...     _ = (folder / "file").write_text("whole")
    >>> [path.name for path in target.iterdir()]
    ['file']
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def __enter__(self):
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(
            dir=self.folder.parent, prefix=f".{self.folder.name}-"
        )
        self.unfinished = pathlib.Path(name)
        return self.unfinished

    def __exit__(self, error_type, error, traceback):
        if error_type is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.unfinished.chmod(0o755)  # mkdtemp keeps others out
            os.replace(self.unfinished, self.folder)
            return
        shutil.rmtree(self.unfinished, ignore_errors=True)
        if is_full_disk(error):
            with writing(self.folder):  # which names it
                raise error


def refuse_to_replace(
    out: str | pathlib.Path, required: str, content: str
) -> None:
    """Refuse a folder that something else than an earlier result is in.

    Arguments
    ---------
    out : str or pathlib.Path
        What ``--out`` names.
    required : str
        File that every earlier result has.
    content : str
        What the result is, e.g. "report".

    Raises
    ------
    InputError
        If ``out`` exists, is not empty and lacks that file.
    """
    out = pathlib.Path(out)
    if out.exists() and not (out / required).is_file():
        if not out.is_dir() or any(out.iterdir()):
            raise InputError(
                f"--out {out}: exists and holds no earlier {content} "
                f"({required} is missing); name a new folder."
            )


def refuse_unwritable(name, where):
    r"""Refuse a name that no table can hold: not UTF-8, or broken in lines.

    Arguments
    ---------
    name : str
        Of a file, an utterance, a speaker.
    where : str or pathlib.Path
        What the message names.

    Raises
    ------
    InputError
        With the name, escaped.

    Example
    -------
    >>> refuse_unwritable("wind_\udce4", "wind_\udce4.wav")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: wind_\udce4.wav: the name 'wind_\udce4' is not UTF-8 or holds control characters; rename it.
    """
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in name):
        raise InputError(
            f"{printable(str(where))}: the name '{printable(name)}' is not "
            "UTF-8 or holds control characters; rename it."
        )


@contextlib.contextmanager
def leaving_nothing(folder, up_to):
    """Delete what was written into a new folder, if the input is refused.

    A folder that had files before stays as it is.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of a run.
    up_to : str or pathlib.Path
        A folder above it: the last one to be removed if it is empty.

    Example
    -------
    >>> results = getfixture("tmp_path") / "results"
    >>> with contextlib.suppress(InputError):
    ...     with leaving_nothing(results / "teacher" / "fold_1", results):
    ...         (results / "teacher" / "fold_1").mkdir(parents=True)
    ...         raise InputError("fold is 11")
    >>> results.exists()
    False
    """
    folder, up_to = pathlib.Path(folder), pathlib.Path(up_to)
    # hidden: the lock of the process itself
    before = [path for path in _files(folder) if path.name[0] != "."]
    try:
        yield
    except InputError:
        if not before:
            shutil.rmtree(folder, ignore_errors=True)
            _remove_empty(folder.parent, up_to)
        raise


def _files(folder):
    return (path for path in folder.rglob("*") if path.is_file())


def _remove_empty(folder, up_to):
    """An empty folder and those above it that it leaves empty."""
    while folder == up_to or up_to in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


@contextlib.contextmanager
def locked(folder):
    """Hold a folder for one process at a time, to check it and to make it.

    Folds that start together prepare the same corpus and the same noise.

    Arguments
    ---------
    folder : str or pathlib.Path
        Need not exist. The lock is a hidden file beside it, which goes again if
        the input is refused and there is no folder.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "results" / "noise"
    >>> with contextlib.suppress(InputError), locked(folder):
    ...     raise InputError("babble.wav: is silent")
    >>> folder.parent.exists()
    False
    """
    folder = pathlib.Path(folder)
    made = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{folder.name}.lock")
    with lock:
        try:
            yield
        except InputError:
            if not folder.exists():
                # who waits for it tries anew: filelock looks for that
                pathlib.Path(lock.lock_file).unlink(missing_ok=True)
                if made:
                    _remove_empty(folder.parent, made[-1])
            raise


def write_text(text, path):
    """Write a text file whole or not at all.

    Arguments
    ---------
    text : str
        Encoded as UTF-8.
    path : str or pathlib.Path
        Replaced at once.
    """
    _write(text.encode(), path)


def _write(content, path):
    with replaced_file(path, len(content)) as unfinished:
        unfinished.write_bytes(content)


def write_csv(table, path):
    r"""Write a pandas.DataFrame, without its index, whole or not at all.

    Arguments
    ---------
    table : pandas.DataFrame
        Any.
    path : str or pathlib.Path
        Replaced at once; compressed if it ends in ``.xz``. Its folder is made
        if it is not there.

    Example
    -------
    >>> import pandas
    >>> path = getfixture("tmp_path") / "new" / "rows.csv"
    >>> write_csv(pandas.DataFrame({"ua": [0.5]}), path)
    >>> path.read_text()
    'ua\n0.5\n'
    """
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = table.to_csv(index=False).encode()
    packed = pathlib.Path(path).suffix == ".xz"
    _write(lzma.compress(content) if packed else content, path)


def write_json(facts, path):
    """Write plain data as json, whole or not at all."""
    write_text(json.dumps(facts, indent=2) + "\n", path)


def has_checkpoint(output_folder):
    """Whether a run has learned anything yet.

    Example
    -------
    >>> has_checkpoint(getfixture("tmp_path"))
    False
    """
    return any((pathlib.Path(output_folder) / "save").glob("CKPT+*"))
