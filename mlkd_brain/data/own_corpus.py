"""A corpus that is one CSV: any labels, speakers, rates and formats.

The columns ``wav``, ``spk_id`` and ``emo`` are enough; every other column of a
manifest is filled in. ``recipes/Manifest/MLKD`` trains on it.

Authors
 * The MLKD team 2026
"""

import pathlib

import pandas

from mlkd_brain.data.manifests import (
    DESCRIPTION,
    check_rows,
    read_table,
    write_manifests,
)
from mlkd_brain.errors import InputError

NEEDED = ("wav", "spk_id", "emo")
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
        ``gender`` and ``style`` if there are any.

    Raises
    ------
    InputError
        Naming the file and the row of what is missing or wrong.

    Returns
    -------
    pandas.DataFrame
        The columns that a preparer fills in.

    Example
    -------
    >>> path = getfixture("tmp_path") / "my.csv"
    >>> _ = path.write_text("wav,spk_id,emo\\na/1.wav,07,joy\\na/2.wav,8,rage\\n")
    >>> read_rows(path)[["ID", "spk_id", "emo"]].values.tolist()
    [['a-1', '07', 'joy'], ['a-2', '8', 'rage']]
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
    _refuse_empty(table, manifest)
    if "ID" not in table:
        table["ID"] = [_name_of(wav) for wav in table["wav"]]
    check_rows(table[[*NEEDED, "ID"]], manifest)
    _refuse_repeated(table, manifest)
    _refuse_classes(table, manifest)
    return table.assign(
        **{k: v for k, v in DEFAULTS.items() if k not in table}
    )[DESCRIPTION]


def _name_of(wav):
    """An ID from a path: without its suffix, one name for a file system."""
    path = pathlib.PurePosixPath(wav)
    if not path.name:  # ".", which is no recording
        return wav
    return "-".join(path.with_suffix("").parts).lstrip("/-")


def _refuse_empty(table, manifest):
    for name in NEEDED:
        empty = table.index[table[name].str.strip() == ""]
        if len(empty):
            raise InputError(
                f"{manifest}, row {empty[0] + 2}: {name} is empty; fill it in or delete "
                "the row."
            )


def _refuse_repeated(table, manifest):
    twice = table[table["ID"].duplicated(keep=False)]
    if len(twice):
        first, second = twice.index[:2]
        raise InputError(
            f"{manifest}, rows {first + 2} and {second + 2}: "
            f"{table['wav'][first]} and {table['wav'][second]} have one ID, "
            f"{table['ID'][first]}; IDs are unique. Add a column ID, or delete "
            "one of the rows."
        )


def _refuse_classes(table, manifest):
    classes = sorted(table["emo"].unique())
    if not CLASSES[0] <= len(classes) <= CLASSES[1]:
        raise InputError(
            f"{manifest}: emo has {len(classes)} labels "
            f"({', '.join(classes[:5])} ...), from {CLASSES[0]} to {CLASSES[1]} "
            "are allowed; join or add labels."
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
