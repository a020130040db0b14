"""Speech without labels in the training set of a student.

A teacher's distribution and hidden states need no label: any speech can be
learned from through them. The teacher's input is the clean recording, the
student's the same one with noise.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

from mlkd_brain.audio import find_recordings
from mlkd_brain.data.manifests import write_manifests
from mlkd_brain.data.pipelines import read_rows
from mlkd_brain.errors import InputError
from mlkd_brain.fingerprint import fingerprint

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.distributed import run_on_main

NAME = "unlabelled"  # in place of a speaker and an emotion


class UnlabelledSpeech:
    """The recordings of a folder, of which each epoch has some.

    Arguments
    ---------
    folder : str or pathlib.Path, optional
        Holds recordings, also in folders below, any rate. None: there is no
        such speech.
    share : float
        Of the utterances of an epoch, above 0, below 1.
    manifest_folder : str or pathlib.Path
        Where their durations and levels are kept.

    Raises
    ------
    InputError
        If the share is out of range, or the folder holds no recording.

    Example
    -------
    >>> speech = UnlabelledSpeech(None, 0.25, "unused")
    >>> speech.recordings
    []
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
        self.manifest_folder = pathlib.Path(manifest_folder)
        self.recordings = find_recordings(folder, "**/*")[0] if folder else []
        if folder and not self.recordings:
            raise InputError(
                f"unlabelled_folder '{folder}': holds no recording; name a "
                "folder of speech, or null."
            )

    @property
    def facts(self) -> dict[str, Any] | None:
        """What a protocol says of it: how many recordings, which, what share."""
        if not self.recordings:
            return None
        names = [p.relative_to(self.folder).as_posix() for p in self.recordings]
        sizes = [path.stat().st_size for path in self.recordings]
        return {
            "recordings": len(names),
            "files": fingerprint([names, sizes]),
            "share": self.share,
        }

    def drawn(self, labelled: int, unlabelled: int) -> int:
        """Utterances of an epoch that have no label; all, if those are fewer."""
        return min(round(labelled * self.share / (1 - self.share)), unlabelled)

    def add_to(
        self, datasets: dict[str, DynamicItemDataset]
    ) -> tuple[int, int]:
        """Put the recordings behind the utterances of the training set.

        Arguments
        ---------
        datasets : dict
            Of ``mlkd_brain.data.pipelines.dataio_prep``.

        Raises
        ------
        InputError
            If a recording cannot be used, or is one of the validation or the
            test.

        Returns
        -------
        added, drawn : int
            Recordings, and how many of them an epoch has.
        """
        if not self.recordings:
            return 0, 0
        self._refuse_held_out(datasets)
        run_on_main(
            write_manifests,
            args=[self._rows(), self.folder, self.manifest_folder],
        )
        path = self.manifest_folder / f"{NAME}.csv"
        rows = read_rows(path, self.folder)
        train = datasets["train"]
        drawn = self.drawn(len(train), len(rows))
        train.data.update(
            {key: {**row, "emo": None} for key, row in rows.items()}
        )
        train.data_ids.extend(rows)
        return len(rows), drawn

    def _rows(self):
        names = [p.relative_to(self.folder).as_posix() for p in self.recordings]
        unknown = dict.fromkeys(("spk_id", "emo"), NAME)
        unknown |= dict.fromkeys(("session", "gender", "style"), "")
        return [
            {"ID": f"{NAME}/{name}", "wav": name, **unknown} for name in names
        ]

    def _refuse_held_out(self, datasets):
        own = {path.resolve() for path in self.recordings}
        for part in {"valid", "test"} & datasets.keys():
            for row in datasets[part].data.values():
                if pathlib.Path(row["wav"]).resolve() in own:
                    raise InputError(
                        f"unlabelled_folder '{self.folder}': holds {row['wav']}, "
                        f"which is in the {part} part of this fold. Name a "
                        "folder of other speech."
                    )
