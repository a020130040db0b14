"""What a study left behind: its runs' folders, or one archive of them.

Authors
 * The MLKD team 2026
"""

import contextlib
import io
import json
import lzma
import pathlib
import re
import tarfile
import tempfile
from typing import NamedTuple

import pandas

from mlkd_brain.errors import InputError
from mlkd_brain.names import COMPLEXITY, PREDICTIONS, PROTOCOL, TRAIN_LOG
from mlkd_brain.run.protocol import read_protocol

ARCHIVE = "runs.tar.xz"
MANIFEST = "test.csv"
COLUMNS = "system seed fold ID spk_id noise snr_db emo predicted".split()
#: Digits of a probability after the point: what the archive keeps.
DIGITS = 3
ENTRY = re.compile(r"(train|valid) ([^:,]+): ([^,\s]+)")


class Run(NamedTuple):
    """Where one system of one seed and fold is, and one evaluation of it."""

    folder: pathlib.Path
    evaluated: pathlib.Path

    @property
    def name(self):
        """``<system>/<seed>/fold_<k>``, and the evaluation's folder if any."""
        parts = (*self.folder.parts[-3:], self.evaluation)
        return "/".join(part for part in parts if part != ".")

    @property
    def evaluation(self):
        """The evaluation's folder below the run's."""
        return str(self.evaluated.relative_to(self.folder))

    @property
    def key(self):
        """System, seed and fold."""
        system, seed, fold = self.folder.parts[-3:]
        return system, seed, int(fold.removeprefix("fold_"))


class Study(NamedTuple):
    """All that a report is made from."""

    predictions: pandas.DataFrame
    protocols: list
    curves: pandas.DataFrame
    costs: pandas.DataFrame


@contextlib.contextmanager
def unpacked(results):
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


def find_runs(results_folder, evaluation=".", folds=None):
    """Every run below a folder, evaluated or not, sorted.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds ``<system>/<seed>/fold_<k>``.
    evaluation : str
        Folder below ``fold_<k>`` of another evaluation, e.g. "weighting_none".
    folds : list of int, optional
        These alone.

    Returns
    -------
    list of Run
        By system, seed and fold.
    """
    runs = [
        Run(folder, folder / evaluation)
        for folder in pathlib.Path(results_folder).glob("*/*/fold_*")
        if folder.name.removeprefix("fold_").isdigit()
    ]
    return sorted(
        (run for run in runs if not folds or run.key[2] in folds),
        key=lambda run: run.key,
    )


def evaluated_runs(results_folder, evaluation=".", folds=None):
    """The runs that have predictions; arguments as in ``find_runs``.

    Raises
    ------
    InputError
        If there are none.
    """
    runs = [
        run
        for run in find_runs(results_folder, evaluation, folds)
        if (run.evaluated / PREDICTIONS).is_file()
    ]
    if not runs:
        raise InputError(
            f"{results_folder}: holds no <system>/<seed>/fold_<k>/{evaluation}/"
            f"{PREDICTIONS} of the folds asked for; run evaluate.py first."
        )
    return runs


def read_study(results_folder, evaluation=".", folds=None):
    """Read everything of the runs that have predictions.

    Arguments are those of ``find_runs``.

    Raises
    ------
    InputError
        If there are none, or a protocol.json is damaged.

    Returns
    -------
    Study
        ``predictions`` joined, with the ``gender`` and ``style`` of test.csv;
        ``protocols``, a list of dict; ``curves``, one row an epoch and term;
        ``costs``, one row for each complexity.json.
    """
    runs = evaluated_runs(results_folder, evaluation, folds)
    return Study(
        pandas.concat([_read_run(run) for run in runs], ignore_index=True),
        [read_card(run.evaluated) for run in runs],
        pandas.concat([_read_log(run) for run in runs], ignore_index=True),
        pandas.DataFrame([_read_costs(run) for run in runs]),
    )


def read_predictions(results_folder, evaluation=".", folds=None):
    """The predictions of ``read_study`` alone."""
    runs = evaluated_runs(results_folder, evaluation, folds)
    return pandas.concat([_read_run(run) for run in runs], ignore_index=True)


def read_table(path):
    """A predictions.csv; speakers such as 03 stay text.

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
        table = pandas.read_csv(path, dtype={"ID": str, "spk_id": str})
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
    return table.assign(**table[probabilities].round(DIGITS))


def read_card(folder):
    """A protocol.json; of an encoder's folder the name alone is kept.

    Where a folder lies is no fact of a study, and nobody else's business.
    """
    card = read_protocol(folder)
    hub = card.get("wav2vec2_hub")
    if hub and pathlib.Path(hub).is_absolute():
        card["wav2vec2_hub"] = pathlib.Path(hub).name
    return card


def _read_run(run):
    table = read_table(run.evaluated / PREDICTIONS)
    if not (run.folder / MANIFEST).is_file():
        return table
    manifest = pandas.read_csv(run.folder / MANIFEST, dtype={"ID": str})
    wanted = [n for n in ("ID", "gender", "style") if n in manifest]
    return table.merge(manifest[wanted], on="ID", how="left")


def _read_log(run):
    """One row an epoch, part and term; of a repeated epoch the last counts."""
    values = {}
    path = run.folder / TRAIN_LOG
    for line in path.read_text().splitlines() if path.is_file() else ():
        epoch = re.match(r"epoch: (\d+)", line)
        for part, term, value in ENTRY.findall(line) if epoch else ():
            values[int(epoch[1]), part, term] = float(value)
    rows = [(*run.key, *place, value) for place, value in values.items()]
    return pandas.DataFrame(
        rows,
        columns=["system", "seed", "fold", "epoch", "part", "term", "value"],
    )


def _read_costs(run):
    path = run.evaluated / COMPLEXITY
    known = json.loads(path.read_text()) if path.is_file() else {}
    return {"system": run.key[0], **known}


def pack(results_folder, path, evaluation=".", folds=None):
    """Keep what a report needs of its runs in one small archive.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    path : str or pathlib.Path
        The archive, a tar.xz; the same runs give the same bytes.
    evaluation, folds
        See ``find_runs``.
    """
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for run in evaluated_runs(results_folder, evaluation, folds):
            for file, content in sorted(_kept(run).items()):
                name = file.relative_to(results_folder)
                entry = tarfile.TarInfo(name.as_posix())
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def _kept(run):
    """Path of each file that is packed to its bytes."""
    files = (
        run.folder / MANIFEST,
        run.folder / TRAIN_LOG,
        run.evaluated / COMPLEXITY,
    )
    kept = {path: path.read_bytes() for path in files if path.is_file()}
    for folder in {run.folder, run.evaluated}:
        card = json.dumps(read_card(folder), indent=2)
        kept[folder / PROTOCOL] = card.encode()
    table = read_table(run.evaluated / PREDICTIONS)
    kept[run.evaluated / PREDICTIONS] = table.to_csv(index=False).encode()
    return kept
