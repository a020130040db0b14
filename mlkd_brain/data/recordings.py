"""Checksums of recordings: what a corpus is, whatever the dates of its files.

Authors
 * The MLKD team 2026
"""

import json
import pathlib
import time

from mlkd_brain.audio import LIBRARIES, read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.files import write_json
from mlkd_brain.fingerprint import fingerprint_samples, provenance
from tqdm import tqdm

SETTLED = 2.0  # seconds; within one tick of the clock a file can change twice


class RecordingIndex:
    """Checksums of the samples of recordings, and the files they were read from.

    A recording is decoded again only where its file is not as the index knows
    it: size, inode, and the times at which its content and its inode changed.
    The last of them no program can set back, so that a file of equal size and
    date is not taken for the one before. IEMOCAP's seven hours take half a
    minute the first time, and a third of a second from then on.

    Arguments
    ---------
    path : str or pathlib.Path
        A json file, read if it is there.

    Example
    -------
    >>> import os, soundfile
    >>> file = getfixture("tmp_path") / "a.wav"
    >>> index, found = RecordingIndex(file.with_suffix(".json")), []
    >>> for sample in (0.5, -0.5):
    ...     soundfile.write(file, [sample] * 8, 16000)
    ...     os.utime(file, (0, 0))
    ...     found.append(index.checksums({"a": file}))
    >>> found[0] == found[1]
    False
    """

    def __init__(self, path: str | pathlib.Path):
        self.path = pathlib.Path(path)
        self.made_by = provenance(libraries=LIBRARIES)
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        same = kept.get("made_by") == self.made_by
        self.kept: dict[str, list] = kept["files"] if same else {}
        self.files = self.kept

    def checksums(self, recordings: dict[str, pathlib.Path]) -> dict[str, str]:
        """Checksum of each recording's samples.

        Arguments
        ---------
        recordings : dict
            Name to path; the files exist.

        Returns
        -------
        dict
            Name to checksum; "" for a recording that cannot be read.
        """
        files = {}
        # shown where it takes longer than a moment
        for name, path in tqdm(
            recordings.items(), desc="reading recordings", delay=5
        ):
            state = _state(path)
            known = self.files.get(name, [None, ""])
            samples = known[1] if known[0] == state else _checksum(path)
            files[name] = [state, samples]
        self.files = files
        return {name: samples for name, (_, samples) in files.items()}

    def save(self) -> None:
        """Write the file if it changed, without what changed a moment ago."""
        latest = 1e9 * (time.time() - SETTLED)
        files = {n: f for n, f in self.files.items() if max(f[0][2:]) < latest}
        if files != self.kept:
            write_json({"made_by": self.made_by, "files": files}, self.path)


def _state(path):
    """Size, inode, and when content and inode changed, ns."""
    status = path.stat()
    times = status.st_mtime_ns, status.st_ctime_ns
    return [status.st_size, status.st_ino, *times]


def _checksum(path):
    try:
        return fingerprint_samples(read_mono(path))
    except InputError:
        return ""  # whoever measures it names what is wrong
