"""Folds that leave out one speaker, or one group of speakers.

Authors
 * The MLKD team 2026
"""

import logging
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas
from mlkd_brain.data.manifests import FOLD, read_manifest, read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint, write_csv

logger = logging.getLogger(__name__)

FEWEST_FOLDS = 3  # one to test, one to validate, one to train


def speaker_groups(
    counts: pandas.DataFrame, groups: int | None
) -> list[list[str]]:
    """Speakers that are held out together, fixed by rule.

    The largest speaker first, each joins the group where its utterances, of
    every label and in all, add least to the squares of the group's shares: so
    groups are alike in size and in labels. No chance is in it.

    Arguments
    ---------
    counts : pandas.DataFrame
        Utterances of each speaker (row, sorted) with each label (column).
    groups : int, optional
        How many; None leaves every speaker alone, in order.

    Raises
    ------
    InputError
        If there are fewer speakers than groups, or fewer than 3 groups.

    Returns
    -------
    list of list of str
        Disjoint; speakers sorted within a group.

    Example
    -------
    >>> counts = pandas.DataFrame({"ang": [4, 2, 2, 4]}, index=list("abcd"))
    >>> speaker_groups(counts, 3)
    [['a'], ['d'], ['b', 'c']]
    """
    if groups is None:
        return [[name] for name in counts.index]
    if type(groups) is not int or not FEWEST_FOLDS <= groups <= len(counts):
        raise InputError(
            f"fold_groups is {groups}; with {len(counts)} speakers it is a "
            f"number from {FEWEST_FOLDS} to {len(counts)}, or null for one "
            "speaker each."
        )
    # (speakers, labels and all utterances)
    shares = np.column_stack([counts, counts.sum(axis=1)])
    shares = shares / shares.sum(axis=0).clip(min=1)
    held = np.zeros((groups, shares.shape[1]))
    members: list[list[str]] = [[] for _ in range(groups)]
    for speaker in np.argsort(-shares[:, -1], kind="stable"):
        added = ((held + shares[speaker]) ** 2 - held**2).sum(axis=1)
        best = int(added.argmin())
        held[best] += shares[speaker]
        members[best].append(counts.index[speaker])
    return [sorted(group) for group in members]


def fold_speakers(
    groups: list[list[str]], fold: int, validates_on: str
) -> dict[str, list[str]]:
    """Test, validation and training speakers of a fold.

    Source: the paper's protocol, leave one speaker out in ten folds; fold k
    tests the k-th speaker, or the k-th group of speakers.

    Arguments
    ---------
    groups : list of list of str
        See ``speaker_groups``.
    fold : int
        Counted from 1.
    validates_on : str
        "session_partner": the other speaker of the session, where speakers 1
        and 2 share the first session, and so on; "next": the next one, the
        first one after the last.

    Raises
    ------
    InputError
        If there is no such fold or rule, or nobody is left to train.

    Returns
    -------
    dict
        "train", "valid" and "test" to lists of speakers, disjoint.

    Example
    -------
    >>> groups = [["Ses01F"], ["Ses01M"], ["Ses02F"], ["Ses02M"]]
    >>> fold_speakers(groups, 2, "session_partner")["valid"]
    ['Ses01F']
    >>> fold_speakers(groups, 4, "next")["valid"]
    ['Ses01F']
    """
    last = len(groups)
    if type(fold) is not int or not 1 <= fold <= last:
        raise InputError(
            f"fold is {fold}; with {last} speakers or groups of them folds go "
            f"from 1 to {last}. Change --fold."
        )
    if last < FEWEST_FOLDS:
        raise InputError(
            f"{last} speakers, or groups of them, are too few: one is tested, one "
            f"validates, and one at least trains. Bring {FEWEST_FOLDS}."
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
    test, valid = groups[fold - 1], groups[rules[validates_on]]
    train = [name for group in groups for name in group]
    train = sorted(set(train) - {*test, *valid})
    return {"train": train, "valid": valid, "test": test}


def read_groups(
    manifests: dict[str, pandas.DataFrame], fold_groups: int | None
) -> list[list[str]]:
    """Groups of the speakers of a corpus.

    Arguments
    ---------
    manifests : dict
        Speaker to manifest, sorted. A column ``fold`` names the groups.
    fold_groups : int, optional
        See ``speaker_groups``.

    Raises
    ------
    InputError
        If ``fold_groups`` is given beside a column ``fold``, or does not fit.

    Returns
    -------
    list of list of str
        In the order of the folds: by number, or else by name.
    """
    named: dict[str, list[str]] = {}
    for speaker, table in manifests.items():
        for name in table[FOLD].unique() if FOLD in table else ():
            named.setdefault(name, []).append(speaker)
    if named and fold_groups is not None:
        raise InputError(
            f"fold_groups is {fold_groups} and the corpus has a column fold, "
            "which says who is held out together; leave one of them out."
        )
    if named:
        return [named[name] for name in sorted(named, key=_by_number)]
    counts = pandas.DataFrame(
        {name: table["emo"].value_counts() for name, table in manifests.items()}
    )
    return speaker_groups(counts.fillna(0).T, fold_groups)


def _by_number(name):
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def write_fold(
    manifest_folder: str | pathlib.Path,
    fold: int,
    validates_on: str,
    emotions: list[str],
    output_folder: str | pathlib.Path,
    fold_groups: int | None = None,
) -> None:
    """Join the speakers' manifests into the three parts of a fold.

    Arguments
    ---------
    manifest_folder : str or pathlib.Path
        Written by ``write_manifests``.
    fold, validates_on
        As for ``fold_speakers``.
    emotions : list of str
        Emotions that may occur.
    output_folder : str or pathlib.Path
        Where train.csv, valid.csv and test.csv go.
    fold_groups : int, optional
        Groups of speakers, see ``speaker_groups``.

    Raises
    ------
    InputError
        If a manifest is damaged, or there is no such fold.
    """
    manifests = read_speakers(manifest_folder, emotions)
    groups = read_groups(manifests, fold_groups)
    parts = fold_speakers(groups, fold, validates_on)
    if validates_on == "session_partner":
        _refuse_other_sessions(manifests, *parts["test"], *parts["valid"])
    output_folder = pathlib.Path(output_folder)
    output_folder.mkdir(parents=True, exist_ok=True)
    tables = {
        part: pandas.concat([manifests[name] for name in speakers])
        for part, speakers in parts.items()
    }
    if has_checkpoint(output_folder):
        _refuse_other_parts(tables, output_folder)
    for part, table in tables.items():
        _warn_of_missing(part, table, emotions)
        write_csv(table, output_folder / f"{part}.csv")


def _warn_of_missing(part, table, emotions):
    """A part without a class is scored on the classes that it has."""
    missing = missing_labels(table, emotions)
    if not missing:
        return
    effect = "no model of this fold can learn them"
    if part != "train":
        present = len(emotions) - len(missing)
        effect = f"UA there is the mean recall of the other {present} classes"
    logger.warning(
        f"WARNING: the {part} part of this fold, {len(table)} utterances, has "
        f"none of {', '.join(missing)}: {effect}. `mlkd check` of the CSV shows "
        "all folds; fold_groups or a column fold joins speakers."
    )


def missing_labels(
    table: pandas.DataFrame, emotions: Sequence[str]
) -> list[str]:
    """Labels of which a table of utterances has none.

    Example
    -------
    >>> missing_labels(pandas.DataFrame({"emo": ["sad"]}), ["ang", "sad"])
    ['ang']
    """
    present = set(table["emo"])
    return [name for name in emotions if name not in present]


def _refuse_other_parts(tables, output_folder):
    """A run is not resumed with other utterances."""
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


def _refuse_other_sessions(manifests, test, valid):
    """A speaker missing from the corpus would shift all pairs after it."""
    sessions = [set(manifests[name]["session"]) for name in (test, valid)]
    if sessions[0] != sessions[1]:
        raise InputError(
            f"{test} and {valid} do not share a session, so validates_on "
            "session_partner does not fit these speakers: "
            f"{', '.join(manifests)}. Complete the corpus, or use "
            "--validates_on next."
        )
