"""The files that a study leaves: folders of runs, or one archive of them.

Authors
 * The MLKD team 2026
"""

import contextlib
import functools
import io
import json
import lzma
import pathlib
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas
from mlkd_brain.errors import InputError
from mlkd_brain.names import COMPLEXITY, PREDICTIONS, PROTOCOL, TRAIN_LOG
from mlkd_brain.report.statistics import scores_of_runs
from mlkd_brain.run.protocol import read_protocol
from pandas import DataFrame

ARCHIVE = "runs.tar.xz"
MANIFEST = "test.csv"
COLUMNS = "system seed fold ID spk_id noise snr_db emo predicted".split()
#: These columns are text. Speakers such as 03 are no numbers, and grouping Python's
#: strings is several times as fast as grouping Arrow's.
TEXTS = ("system", "ID", "spk_id", "noise", "emo", "predicted")
#: What complexity.json holds at least.
COSTS = "parameters bytes macs milliseconds seconds threads machine".split()
#: Digits of a probability after the point: what the archive keeps.
DIGITS = 3
ENTRY = re.compile(r"(train|valid) ([^:,]+): ([^,\s]+)")
LOG_COLUMNS = ["system", "seed", "fold", "epoch", "part", "term", "value"]


class RunFiles:
    """The files of one run and of one of its evaluations, each read once.

    Arguments
    ---------
    folder : pathlib.Path
        ``<system>/<seed>/fold_<k>``.
    evaluation : str
        Folder below it, "." for the run's own evaluation.
    """

    def __init__(self, folder: pathlib.Path, evaluation: str = "."):
        self.folder, self.evaluation = folder, evaluation
        self.evaluated = folder / evaluation
        system, seed, fold = folder.parts[-3:]
        self.key = system, seed, int(fold.removeprefix("fold_"))
        below = [] if evaluation == "." else [evaluation]
        self.name = "/".join([*folder.parts[-3:], *below])

    @functools.cached_property
    def protocol(self) -> dict[str, Any]:
        """The evaluation's protocol.json."""
        return _read_protocol(self.evaluated)

    @functools.cached_property
    def table(self) -> DataFrame:
        """The evaluation's predictions.csv."""
        return read_table(self.evaluated / PREDICTIONS)

    @functools.cached_property
    def manifest(self) -> DataFrame | None:
        """The run's test.csv, if it has one."""
        path = self.folder / MANIFEST
        if not path.is_file():
            return None
        return read_texts(path, TEXTS)

    def predictions(self) -> DataFrame:
        """The table, with ``gender`` and ``style`` of the manifest if known."""
        if self.manifest is None:
            return self.table
        known = [n for n in ("ID", "gender", "style") if n in self.manifest]
        return self.table.merge(self.manifest[known], on="ID", how="left")

    def log(self) -> DataFrame:
        """One row an epoch, part and term; of a repeated epoch the last."""
        values = {}
        path = self.folder / TRAIN_LOG
        for line in path.read_text().splitlines() if path.is_file() else ():
            if epoch := re.match(r"epoch: (\d+)", line):
                for part, term, value in ENTRY.findall(line):
                    with contextlib.suppress(ValueError):  # text is no curve
                        values[int(epoch[1]), part, term] = float(value)
        rows = [(*self.key, *index, value) for index, value in values.items()]
        return DataFrame(rows, columns=LOG_COLUMNS)

    def costs(self) -> dict[str, Any]:
        """The system and what complexity.json has."""
        path = self.evaluated / COMPLEXITY
        if not path.is_file():
            return {"system": self.key[0]}
        try:
            known = json.loads(path.read_text())
            # earlier versions have no more than these
            return {
                **known,
                **{n: known[n] for n in COSTS},
                "system": self.key[0],
            }
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path}: is damaged, it should hold {', '.join(COSTS)}; run "
                "evaluate.py again, or delete it."
            ) from None

    def packed(self) -> dict[pathlib.Path, bytes]:
        """Path of each file that an archive keeps, to its bytes."""
        files = [self.folder / MANIFEST, self.folder / TRAIN_LOG]
        files.append(self.evaluated / COMPLEXITY)
        kept = {path: path.read_bytes() for path in files if path.is_file()}
        for folder in {self.folder, self.evaluated}:
            text = json.dumps(_read_protocol(folder), indent=2)
            kept[folder / PROTOCOL] = text.encode()
        table = self.table.to_csv(index=False)
        return {**kept, self.evaluated / PREDICTIONS: table.encode()}


class Results(NamedTuple):
    """All that a report is made from."""

    predictions: DataFrame  # with gender and style, if known
    scores: DataFrame  # accuracies of each run in each condition
    protocols: list[dict[str, Any]]
    curves: DataFrame  # one row an epoch and term
    costs: DataFrame  # one row a complexity.json


@contextlib.contextmanager
def unpacked(results: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """The folder of the runs; an archive is unpacked for as long as it is read.

    Arguments
    ---------
    results : str or pathlib.Path
        Folder, or an archive that ``pack`` wrote.

    Raises
    ------
    InputError
        If it is neither.

    Yields
    ------
    pathlib.Path
        Folder that holds ``<system>/<seed>/fold_<k>``.
    """
    results = pathlib.Path(results)
    if not results.is_file():
        yield results
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(results) as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise InputError(
                f"{results}: is no archive of runs ({error}); give the folder of "
                f"the runs, or the {ARCHIVE} of a report."
            ) from None
        yield pathlib.Path(folder)


def find_runs(
    results_folder: str | pathlib.Path,
    evaluation: str = ".",
    folds: Sequence[int] | None = None,
) -> list[RunFiles]:
    """Every run below a folder, evaluated or not, sorted.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds ``<system>/<seed>/fold_<k>``.
    evaluation : str
        Folder below ``fold_<k>`` of another evaluation, e.g. "weighting_none".
    folds : list of int, optional
        Only these; all by default.

    Returns
    -------
    list of RunFiles
        By system, seed and fold.
    """
    runs = [
        RunFiles(folder, evaluation)
        for folder in pathlib.Path(results_folder).glob("*/*/fold_*")
        if folder.name.removeprefix("fold_").isdigit()
    ]
    runs = [run for run in runs if not folds or run.key[2] in folds]
    return sorted(runs, key=lambda run: run.key)


def evaluated_runs(
    results_folder: str | pathlib.Path, evaluation: str = ".", folds: Any = None
) -> list[RunFiles]:
    """The runs of ``find_runs`` that have predictions.

    Raises
    ------
    InputError
        If there are none.
    """
    runs = find_runs(results_folder, evaluation, folds)
    runs = [run for run in runs if (run.evaluated / PREDICTIONS).is_file()]
    if not runs:
        raise InputError(
            f"{results_folder}: holds no <system>/<seed>/fold_<k>/{evaluation}/"
            f"{PREDICTIONS} of the folds asked for; run evaluate.py first."
        )
    return runs


def read_results(runs: Sequence[RunFiles]) -> Results:
    """Everything that a report needs of some runs; InputError if damaged."""
    tables = [run.predictions() for run in runs]
    predictions = pandas.concat(tables, ignore_index=True)
    return Results(
        predictions,
        scores_of_runs(predictions),
        [run.protocol for run in runs],
        pandas.concat([run.log() for run in runs], ignore_index=True),
        DataFrame([run.costs() for run in runs]),
    )


def read_predictions(*which: Any) -> DataFrame:
    """All predictions of ``evaluated_runs(*which)``, see ``RunFiles``."""
    return read_results(evaluated_runs(*which)).predictions


def read_texts(path: str | pathlib.Path, texts: Sequence[str]) -> DataFrame:
    """A CSV in which some columns are text: "NA", "1e3" and "none" too."""
    return pandas.read_csv(
        path,
        dtype=dict.fromkeys(texts, object),
        keep_default_na=False,
        na_values=[""],
    )


def read_table(path: str | pathlib.Path) -> DataFrame:
    """A predictions.csv.

    Arguments
    ---------
    path : str or pathlib.Path
        Written by ``evaluate.py``.

    Raises
    ------
    InputError
        If it cannot be read as a table of predictions.

    Returns
    -------
    pandas.DataFrame
        Probabilities rounded as in the archive, so that both give one report.
    """
    try:
        table = read_texts(path, TEXTS)
    except (pandas.errors.ParserError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); run evaluate.py again."
        ) from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; run evaluate.py again."
        )
    probabilities = [name for name in table if name.startswith("p_")]
    unknown = table[probabilities].isna().any(axis="columns")
    if unknown.any():
        row = table[unknown].iloc[0]
        raise InputError(
            f"{path}: {unknown.sum()} rows have no probability, e.g. that of "
            f"{row['ID']} in {row['noise']} (row {unknown.idxmax() + 2}); the "
            "model's outputs were not finite: train and evaluate the run again."
        )
    return table.assign(**table[probabilities].round(DIGITS))


def _read_protocol(folder):
    """Where an encoder's folder lies is private: its name alone is kept."""
    protocol = read_protocol(folder)
    hub = protocol.get("encoder_hub")
    if hub and pathlib.Path(hub).is_absolute():
        protocol["encoder_hub"] = pathlib.Path(hub).name
    return protocol


def pack(
    runs: Sequence[RunFiles],
    results_folder: str | pathlib.Path,
    path: str | pathlib.Path,
) -> None:
    """Keep what a report needs of its runs in one small archive.

    Arguments
    ---------
    runs : list of RunFiles
        Evaluated.
    results_folder : str or pathlib.Path
        Holds the runs.
    path : str or pathlib.Path
        The archive, a tar.xz; the same runs give the same bytes.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for run in runs:
            for file, content in sorted(run.packed().items()):
                name = file.relative_to(results_folder)
                entry = tarfile.TarInfo(name.as_posix())
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    content = lzma.compress(packed.getvalue(), preset=9)
    pathlib.Path(path).write_bytes(content)
