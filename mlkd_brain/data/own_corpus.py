"""A corpus that is one CSV: any labels, speakers, rates and formats.

The columns ``wav``, ``spk_id`` and ``emo`` are enough; every other column of a
manifest is filled in. ``recipes/Manifest/MLKD`` trains on it.

Authors
 * The MLKD team 2026
"""

import pathlib
import unicodedata
from collections.abc import Iterator

import pandas
from mlkd_brain.data.folds import FEWEST_FOLDS
from mlkd_brain.data.manifests import (
    DESCRIPTION,
    FOLD,
    ROW,
    read_table,
    write_manifests,
)
from mlkd_brain.errors import InputError

NEEDED = ("wav", "spk_id", "emo")
OPTIONAL = ("ID", "session", "gender", "style", FOLD)
CLASSES = (2, 20)  # fewest and most
DEFAULTS = {"session": "", "gender": "", "style": ""}


def prepare_manifest(
    data_folder: str | pathlib.Path,
    manifest_folder: str | pathlib.Path,
    allow_partial: bool = False,
    skip_prep: bool = False,
    manifest: str | pathlib.Path | None = None,
) -> None:
    """Write the manifests of an own corpus, one a speaker.

    Arguments
    ---------
    data_folder : str or pathlib.Path
        What the paths in the CSV are relative to.
    manifest_folder : str or pathlib.Path
        Where ``<spk_id>.csv`` go.
    allow_partial : bool
        Not used: an own corpus has no size that is expected.
    skip_prep : bool
        Whether to trust the manifests that are there.
    manifest : str or pathlib.Path
        The CSV.

    Raises
    ------
    InputError
        If the CSV or a recording cannot be used.
    """
    if not skip_prep:
        rows = read_rows(manifest).to_dict("records")
        write_manifests(rows, data_folder, manifest_folder)


def read_rows(manifest: str | pathlib.Path | None) -> pandas.DataFrame:
    """Read the CSV of an own corpus, every value as text.

    Arguments
    ---------
    manifest : str or pathlib.Path
        With the columns ``wav``, ``spk_id`` and ``emo``; ``ID``, ``session``,
        ``gender``, ``style`` and ``fold`` if there are any.

    Raises
    ------
    InputError
        Naming the file and the row of what is missing or wrong.

    Returns
    -------
    pandas.DataFrame
        The columns that a preparer fills in, and ``fold`` if there is one.

    Example
    -------
    >>> path = getfixture("tmp_path") / "my.csv"
    >>> _ = path.write_text(
    ...     "wav,spk_id,emo\\na/1.wav,07,joy\\na/2.wav,8,rage\\n"
    ... )
    >>> read_rows(path)[["ID", "spk_id", "emo"]].values.tolist()
    [['a-1', '07', 'joy'], ['a-2', '8', 'rage']]
    """
    table = read_corpus(manifest)
    for problem in row_problems(table):
        raise InputError(f"{manifest}, {problem}")
    return table.assign(
        **{k: v for k, v in DEFAULTS.items() if k not in table}
    )[[*DESCRIPTION, *([FOLD] if FOLD in table else [])]]


def read_corpus(manifest: str | pathlib.Path | None) -> pandas.DataFrame:
    """The CSV as it is, with IDs; see ``row_problems``.

    Raises
    ------
    InputError
        If there is no such file, or it is no CSV with those columns.
    """
    if manifest is None:
        raise InputError(
            "manifest is missing; give the CSV of your corpus with "
            "--manifest my.csv (columns wav, spk_id, emo)."
        )
    table = read_table(
        manifest, "Give a file with the columns wav, spk_id and emo."
    )
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise InputError(
            f"{manifest}: has no column {', '.join(missing)}; it needs "
            f"{', '.join(NEEDED)}."
        )
    if "ID" not in table:
        table["ID"] = [name_of(wav) for wav in table["wav"]]
    return table


def name_of(wav: str) -> str:
    """An ID from a path: without its suffix, one name for a file system.

    Example
    -------
    >>> name_of("../anna/001.wav")
    'anna-001'
    """
    path = pathlib.PurePosixPath(wav)
    if not path.name:  # ".", which is no recording
        return wav
    return "-".join(path.with_suffix("").parts).lstrip("./-")


def row_problems(table: pandas.DataFrame) -> Iterator[str]:
    """Everything because of which a CSV cannot be trained on, row by row.

    Arguments
    ---------
    table : pandas.DataFrame
        See ``read_corpus``.

    Yields
    ------
    str
        Which rows, what is wrong, and how to mend it.
    """
    yield from _unusable_names(table)
    yield from _unusable_values(table)
    yield from _repeated(table, "ID", "Add a column ID, or delete one of them.")
    yield from _repeated(table, "wav", "Delete one of them.")
    if FOLD in table:
        yield from _split_speakers(table)
    classes = sorted(table["emo"].unique())
    if not CLASSES[0] <= len(classes) <= CLASSES[1]:
        yield (
            f"column emo has {len(classes)} labels "
            f"({', '.join(classes[:5])} ...), from {CLASSES[0]} to {CLASSES[1]} "
            "are allowed; join or add labels."
        )


def _unusable_names(table):
    for name in (*NEEDED, "ID", *([FOLD] if FOLD in table else [])):
        for index, value in table[name].items():
            if not value.strip():
                what = "is empty; fill it in"
            elif any(unicodedata.category(c) == "Cc" for c in value):
                what = "holds a control character; take it out"
            else:
                continue
            # the header is row 1
            yield f"row {index + 2}: {name} {what} or delete the row."


def _unusable_values(table):
    """What a manifest cannot have, such as an ID too long for a file's name."""
    rows = table[[*NEEDED, "ID"]].to_dict("records")
    for number, row in enumerate(rows, start=2):
        filled = {name: value for name, value in row.items() if value.strip()}
        try:
            ROW.check(filled, "Mend the row, or delete it.", f"row {number}: ")
        except InputError as error:
            yield str(error)


def _repeated(table, column, remedy):
    """Pairs of rows with one value, which must be unique."""
    for value, own in table[table[column] != ""].groupby(column, sort=False):
        for index in own.index[1:]:
            first = own.index[0]
            both = f"{table['wav'][first]} and {table['wav'][index]} have"
            what = f"{both} one ID, {value}; IDs are unique"
            if column == "wav":
                what = f"both are {value}; a recording is one utterance"
            yield f"rows {first + 2} and {index + 2}: {what}. {remedy}"


def _split_speakers(table):
    """Speakers on both sides of a fold, of whom a model would know too much."""
    for speaker, own in table.groupby("spk_id", sort=False):
        folds = own.drop_duplicates(FOLD)
        if len(folds) > 1:
            first, second = folds.index[:2]
            yield (
                f"rows {first + 2} and {second + 2}: speaker {speaker} is in the "
                f"folds {own[FOLD][first]} and {own[FOLD][second]}; a speaker is "
                "in one fold. Change the column fold."
            )
    count = table[FOLD].nunique()
    if count < FEWEST_FOLDS:
        yield (
            f"column fold has {count} folds; at least {FEWEST_FOLDS} are needed, "
            "one to test, one to validate, one to train. Add folds, or delete "
            "the column."
        )


def labels(manifest: str | pathlib.Path) -> list[str]:
    """The labels of an own corpus, sorted: the order of the logits.

    Arguments
    ---------
    manifest : str or pathlib.Path
        See ``read_rows``.

    Returns
    -------
    list of str
    """
    return sorted(read_rows(manifest)["emo"].unique())


def folder_of(manifest: str | pathlib.Path | None) -> str:
    """What the paths in a CSV are relative to: its own folder.

    Example
    -------
    >>> folder_of("corpus/my.csv")
    'corpus'
    """
    return str(pathlib.Path(manifest or "").parent)
