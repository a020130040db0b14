"""Leave-one-speaker-out folds.

Authors
 * The MLKD team 2026
"""

import pathlib

import pandas

from mlkd_brain.data.manifests import read_manifest, read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint, write_csv


def fold_speakers(speakers, fold, validates_on):
    """Test, validation and training speakers of a leave-one-speaker-out fold.

    Source: the paper's protocol, ten folds; fold k tests the k-th speaker.

    Arguments
    ---------
    speakers : list of str
        All speakers, sorted.
    fold : int
        Counted from 1.
    validates_on : str
        "session_partner": the other speaker of the session, where speakers 1
        and 2 share the first session, and so on; "next": the next speaker, the
        first one after the last.

    Raises
    ------
    InputError
        If there is no such fold or rule.

    Returns
    -------
    dict
        "train", "valid" and "test" to lists of speakers, disjoint.

    Example
    -------
    >>> speakers = ["Ses01F", "Ses01M", "Ses02F", "Ses02M"]
    >>> fold_speakers(speakers, 2, "session_partner")["valid"]
    ['Ses01F']
    >>> fold_speakers(speakers, 4, "next")["valid"]
    ['Ses01F']
    """
    last = len(speakers)
    if type(fold) is not int or not 1 <= fold <= last:
        raise InputError(
            f"fold is {fold}; with {last} speakers folds go from 1 to {last}. "
            "Change --fold."
        )
    rules = {"session_partner": (fold - 1) ^ 1, "next": fold % last}
    if validates_on not in rules:
        raise InputError(
            f"Bad value '{validates_on}' for validates_on, expected one of "
            f"{list(rules)}."
        )
    if rules[validates_on] >= last:
        raise InputError(
            f"{last} speakers and validates_on session_partner, which needs an "
            "even number, two in each session. Use --validates_on next."
        )
    test, valid = speakers[fold - 1], speakers[rules[validates_on]]
    train = [name for name in speakers if name not in (test, valid)]
    return {"train": train, "valid": [valid], "test": [test]}


def write_fold(manifest_folder, fold, validates_on, emotions, output_folder):
    """Join the speakers' manifests into the three parts of a fold.

    Arguments
    ---------
    manifest_folder : str or pathlib.Path
        Written by ``write_manifests``.
    fold : int
        Counted from 1.
    validates_on : str
        See ``fold_speakers``.
    emotions : list of str
        Emotions that may occur.
    output_folder : str or pathlib.Path
        Where train.csv, valid.csv and test.csv go.

    Raises
    ------
    InputError
        If a manifest is damaged, or there is no such fold.
    """
    manifests = read_speakers(manifest_folder, emotions)
    parts = fold_speakers(list(manifests), fold, validates_on)
    if validates_on == "session_partner":
        _refuse_strangers(manifests, *parts["test"], *parts["valid"])
    output_folder = pathlib.Path(output_folder)
    output_folder.mkdir(parents=True, exist_ok=True)
    tables = {
        part: pandas.concat([manifests[name] for name in speakers])
        for part, speakers in parts.items()
    }
    if has_checkpoint(output_folder):
        _refuse_other_parts(tables, output_folder)
    for part, table in tables.items():
        write_csv(table, output_folder / f"{part}.csv")


def _refuse_other_parts(tables, output_folder):
    """A run that has learned keeps the utterances it has learned from."""
    for part, table in tables.items():
        path = output_folder / f"{part}.csv"
        before = set(read_manifest(path)["ID"])
        if before != set(table["ID"]):
            raise InputError(
                f"{path}: the run there was trained with {len(before)} "
                f"utterances in this part, the corpus now gives {len(table)} or "
                "others. Delete the run's folder, or give another "
                "--results_folder."
            )


def _refuse_strangers(manifests, test, valid):
    """A speaker missing from the corpus would shift who is whose partner."""
    sessions = [set(manifests[name]["session"]) for name in (test, valid)]
    if sessions[0] != sessions[1]:
        raise InputError(
            f"{test} and {valid} do not share a session, so validates_on "
            "session_partner does not fit these speakers: "
            f"{', '.join(manifests)}. Complete the corpus, or use "
            "--validates_on next."
        )
