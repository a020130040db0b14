"""Speech without labels in the training set of a student.

A teacher's distribution and hidden states need no label: any speech can be
learned from through them. The teacher's input is the clean recording, the
student's the same one with noise.

Authors
 * The MLKD team 2026
"""

import logging
import pathlib
from collections.abc import Iterable
from typing import Any

from mlkd_brain.audio import find_recordings
from mlkd_brain.data.manifests import INDEX, recordings_of, write_manifests
from mlkd_brain.data.pipelines import read_rows
from mlkd_brain.data.recordings import RecordingIndex
from mlkd_brain.errors import InputError
from mlkd_brain.fingerprint import fingerprint

from speechbrain.dataio.dataset import DynamicItemDataset

logger = logging.getLogger(__name__)
NAME = "unlabelled"  # in place of a speaker and an emotion


class UnlabelledSpeech:
    """The recordings of a folder, of which each epoch has some.

    Arguments
    ---------
    folder : str or pathlib.Path, optional
        Holds recordings, also in folders below, any rate. None: there is no
        such speech.
    share : float
        Of the utterances of an epoch and of each of its batches, above 0,
        below 1.
    manifest_folder : str or pathlib.Path
        Below it their durations and levels are kept, each folder's apart.

    Raises
    ------
    InputError
        If the share is out of range.

    Example
    -------
    >>> speech = UnlabelledSpeech("speech", 0.25, "unused")
    >>> speech.drawn(labelled=300, unlabelled=7665)  # 100 of 400
    100
    """

    def __init__(
        self,
        folder: str | pathlib.Path | None,
        share: float,
        manifest_folder: str | pathlib.Path,
    ):
        if not 0 < share < 1:
            raise InputError(
                f"unlabelled_share is {share}; it lies between 0 and 1."
            )
        self.folder, self.share = folder, share
        own = fingerprint(str(pathlib.Path(folder or "").absolute()))
        self.manifest_folder = pathlib.Path(manifest_folder) / own

    def prepare(self) -> None:
        """Measure the recordings, unless that is done.

        Raises
        ------
        InputError
            If the folder holds no recording, or some cannot be used.
        """
        if self.folder is None:
            return
        found, left = find_recordings(self.folder, "**/*")
        if left:
            logger.info(left)
        if not found:
            raise InputError(
                f"unlabelled_folder '{self.folder}': is no folder, or holds no "
                "recording; name a folder of speech, or null."
            )
        names = [path.relative_to(self.folder).as_posix() for path in found]
        unknown = dict.fromkeys(("spk_id", "emo"), NAME)
        unknown |= dict.fromkeys(("session", "gender", "style"), "")
        rows = [
            {"ID": f"{NAME}/{name}", "wav": name, **unknown} for name in names
        ]
        write_manifests(rows, self.folder, self.manifest_folder)

    def rows(self) -> dict[str, dict[str, Any]]:
        """What was measured of each recording, by ID; see ``read_rows``."""
        if self.folder is None:
            return {}
        path = self.manifest_folder / f"{NAME}.csv"
        return read_rows(path, self.folder)

    @property
    def facts(self) -> dict[str, Any] | None:
        """What a protocol says of it; None without such speech.

        The fingerprint of the recordings is one of their samples.
        """
        if self.folder is None:
            return None
        samples = recordings_of(self.manifest_folder)
        return {"recordings": samples, "share": self.share}

    def refuse_held_out(
        self,
        recordings: Iterable[str],
        data_folder: str | pathlib.Path,
        index: str | pathlib.Path,
    ) -> None:
        """Refuse what is validated or tested on, by its samples.

        Arguments
        ---------
        recordings : iterable of str
            Of the validation and the test.
        data_folder : str or pathlib.Path
            Root of their corpus.
        index : str or pathlib.Path
            ``recordings.json`` of their manifests, which need not be there.

        Raises
        ------
        InputError
            Naming the first.
        """
        held_out = _checksums(recordings, data_folder, index)
        by_samples = {samples: path for path, samples in held_out.items()}
        own = [row["wav"] for row in self.rows().values()]
        known = _checksums(own, self.folder, self.manifest_folder / INDEX)
        for path, samples in known.items():
            if samples in by_samples:
                raise InputError(
                    f"unlabelled_folder: {path} has the samples of "
                    f"{by_samples[samples]}, which this fold validates or tests "
                    "on. Name a folder of other speech."
                )

    def drawn(self, labelled: int, unlabelled: int) -> int:
        """Recordings of an epoch; all of them if there are too few."""
        return min(round(labelled * self.share / (1 - self.share)), unlabelled)

    def add_to(self, dataset: DynamicItemDataset) -> tuple[int, int]:
        """Put the recordings behind the utterances of a training set.

        Arguments
        ---------
        dataset : DynamicItemDataset
            Of ``mlkd_brain.data.pipelines.dataio_prep``; changed.

        Returns
        -------
        added, drawn : int
            Recordings, and how many of them an epoch has.
        """
        rows = self.rows()
        drawn = self.drawn(len(dataset), len(rows))
        dataset.data.update(
            {key: {**row, "emo": None} for key, row in rows.items()}
        )
        dataset.data_ids.extend(rows)
        if rows:
            logger.info(
                f"{drawn} of {len(rows)} recordings without a label in each epoch"
            )
        return len(rows), drawn


def _checksums(paths, root, index):
    """Checksum of each recording by its path; the index knows them below root."""
    root = pathlib.Path(root)
    files = {}
    for path in map(pathlib.Path, paths):
        below = path.is_relative_to(root)
        name = path.relative_to(root) if below else path
        files[name.as_posix()] = path
    found = RecordingIndex(index).checksums(files)
    return {files[name]: samples for name, samples in found.items()}
