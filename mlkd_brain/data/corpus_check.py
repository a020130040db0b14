"""``mlkd check my.csv``: what an own corpus holds, and what it lacks.

    mlkd check my.csv
    mlkd check my.csv --fold_groups 5

Counts of each speaker and label, rates and lengths (from the headers of the
recordings), what training would refuse, and what each fold would lack.

Authors
 * The MLKD team 2026
"""

import argparse
import hashlib
import pathlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas
import soundfile
from mlkd_brain.audio import SHORTEST_SECONDS
from mlkd_brain.commands import command_parser
from mlkd_brain.data.folds import fold_speakers, missing_labels, read_groups
from mlkd_brain.data.own_corpus import folder_of, read_corpus, row_problems
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import markdown_table

SHOWN = 20  # problems of one kind that are printed


class Header(NamedTuple):
    """What a recording's header says."""

    seconds: float
    rate: int  # Hz
    channels: int
    form: str  # e.g. "WAV PCM_16"


def main(argv: list[str]) -> int:
    """Print what a corpus holds.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Returns
    -------
    int
        Exit status: 1 if training would refuse the corpus.
    """
    options = parser().parse_args(argv)
    table = read_corpus(options.manifest)
    headers, problems = read_headers(table["wav"], folder_of(options.manifest))
    problems = [*row_problems(table), *problems]
    print(describe(table, headers))
    if not problems:
        try:
            groups = groups_of(table, options.fold_groups)
            print("\n" + describe_folds(table, groups, options.fewest))
        except InputError as error:
            problems.append(str(error))
    for problem in problems[:SHOWN]:
        print(f"error: {problem}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"and {len(problems) - SHOWN} more", file=sys.stderr)
    return 1 if problems else 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = command_parser("check", __doc__)
    add = parser.add_argument
    add("manifest", help="CSV with the columns wav, spk_id and emo")
    add(
        "--fold_groups",
        type=int,
        help="hold out so many groups of speakers, as in training",
    )
    add(
        "--fewest",
        type=int,
        default=10,
        help="a test part with fewer utterances is marked; 10 by default",
    )
    return parser


def read_headers(
    wavs: Iterable[str], data_folder: str | pathlib.Path
) -> tuple[dict[str, Header], list[str]]:
    """Headers of the recordings that can be used, and what is wrong with others.

    Arguments
    ---------
    wavs : iterable of str
        Relative to the folder, or absolute.
    data_folder : str or pathlib.Path
        Root of the corpus.
    """
    headers, problems = {}, []
    sizes: dict[int, list[pathlib.Path]] = {}
    for wav in wavs:
        path = pathlib.Path(data_folder) / wav
        try:
            headers[wav] = _header(path)
            sizes.setdefault(path.stat().st_size, []).append(path)
        except InputError as error:
            problems.append(str(error))
    return headers, [*problems, *_copies(sizes)]


def _header(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file; restore it or delete its row.")
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path}: cannot be read as audio ({error.error_string}); restore "
            "it or delete its row."
        ) from None
    seconds = info.frames / info.samplerate
    if seconds < SHORTEST_SECONDS:
        raise InputError(
            f"{path}: lasts {seconds:.3f} s, at least {SHORTEST_SECONDS} s are "
            "needed; delete its row."
        )
    form = f"{info.format} {info.subtype}"
    return Header(seconds, info.samplerate, info.channels, form)


def _copies(sizes):
    """Recordings with the same content: one may be tested, one trained on."""
    for paths in sizes.values():
        first: dict[str, pathlib.Path] = {}
        for path in paths if len(paths) > 1 else ():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            other = first.setdefault(digest, path)
            if other != path:
                yield (
                    f"{other} and {path}: the same recording; delete one of the "
                    "rows."
                )


def describe(table: pandas.DataFrame, headers: dict[str, Header]) -> str:
    """What a corpus holds: Markdown.

    Arguments
    ---------
    table : pandas.DataFrame
        See ``read_corpus``.
    headers : dict
        See ``read_headers``.
    """
    seconds = pandas.Series([h.seconds for h in headers.values()], dtype=float)
    counts = pandas.crosstab(table["spk_id"], table["emo"])
    labels = list(counts)
    counts["all"] = counts.sum(axis=1)
    length = table["wav"].map({w: h.seconds for w, h in headers.items()})
    counts["minutes"] = length.groupby(table["spk_id"]).sum() / 60
    counts.loc["all"] = counts.sum()
    rows = [
        [
            str(name),
            *(str(int(row[column])) for column in [*labels, "all"]),
            f"{row['minutes']:.1f}",
        ]
        for name, row in counts.iterrows()
    ]
    parts = [
        f"{len(table)} utterances of {table['spk_id'].nunique()} speakers with "
        f"{len(labels)} labels, {seconds.sum() / 60:.1f} minutes",
        markdown_table(["speaker", *labels, "all", "minutes"], rows),
        *_formats(headers.values()),
        *_look_alikes(table),
        *_of_one_label(table),
    ]
    if len(seconds):
        parts.append(
            f"lengths: {seconds.min():.2f} to {seconds.max():.2f} s, median "
            f"{seconds.median():.2f} s"
        )
    return "\n".join([*parts[:1], "", parts[1], "", *parts[2:]])


def _formats(headers):
    headers = list(headers)
    for name, values in (
        ("rates", [f"{h.rate} Hz" for h in headers]),
        ("channels", [h.channels for h in headers]),
        ("formats", [h.form for h in headers]),
    ):
        counts = Counter(values).most_common()
        yield f"{name}: " + ", ".join(f"{v} ({n})" for v, n in counts)


def _look_alikes(table):
    """Labels or speakers that are probably meant to be one."""
    for column in ("emo", "spk_id"):
        for _, names in (
            table[column].drop_duplicates().groupby(_plainly(table[column]))
        ):
            if len(names) > 1:
                both = " and ".join(repr(name) for name in sorted(names))
                yield f"note: {column} has {both}; are they one?"


def _of_one_label(table):
    """Where a voice gives the label away, a model may learn the voice."""
    labels = table.groupby("spk_id")["emo"].nunique()
    alone = int((labels == 1).sum())
    if alone:
        yield (
            f"note: {alone} of {len(labels)} speakers have a single label; what "
            "is learned of them may be their voices"
        )


def _plainly(names):
    return names.str.strip().str.casefold().str.normalize("NFKC")


def groups_of(
    table: pandas.DataFrame, fold_groups: int | None
) -> list[list[str]]:
    """Speakers who are held out together, as training would hold them out.

    Raises
    ------
    InputError
        See ``mlkd_brain.data.folds``.
    """
    groups = read_groups(dict([*table.groupby("spk_id")]), fold_groups)
    fold_speakers(groups, 1, "next")  # refuses too few
    return groups


def describe_folds(
    table: pandas.DataFrame, groups: list[list[str]], fewest: int
) -> str:
    """What each fold tests and validates on, and what it lacks: Markdown.

    Arguments
    ---------
    table : pandas.DataFrame
        See ``read_corpus``.
    groups : list of list of str
        See ``groups_of``.
    fewest : int
        A test part with fewer utterances is marked.
    """
    labels = sorted(table["emo"].unique())
    rows: list[list[str]] = []
    notes: list[str] = []
    for fold in range(1, len(groups) + 1):
        parts = {
            part: table[table["spk_id"].isin(speakers)]
            for part, speakers in fold_speakers(groups, fold, "next").items()
        }
        notes += _notes_of_fold(fold, parts, labels, fewest)
        rows.append(
            [
                str(fold),
                ", ".join(groups[fold - 1]),
                *(str(len(parts[p])) for p in ("test", "valid", "train")),
            ]
        )
    heads = ["fold", "tests", "test", "valid", "train"]
    return "\n".join([markdown_table(heads, rows), "", *(notes or [WHOLE])])


WHOLE = "Every part of every fold has every label."


def _notes_of_fold(fold, parts, labels, fewest) -> Iterator[str]:
    if len(parts["test"]) < fewest:
        yield (
            f"warning: fold {fold} tests {len(parts['test'])} utterances, fewer "
            f"than {fewest}; join speakers with --fold_groups or a column fold"
        )
    for part, table in parts.items():
        missing = missing_labels(table, labels)
        if missing:
            effect = "UA there is over the others"
            if part == "train":
                effect = "cannot be learned"
            yield (
                f"warning: fold {fold}, {part}: no {', '.join(missing)}; {effect}"
            )
