"""The command ``mlkd report``: print tables, or write a whole report.

    mlkd report results --out report
    mlkd report results --into README.md --marker demo

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
from collections.abc import Sequence

from pandas import DataFrame

from mlkd_brain.markdown import write_into
from mlkd_brain.names import CLEAN, NOISE_GRID, PREDICTIONS
from mlkd_brain.report.results import (
    RunFiles,
    evaluated_runs,
    read_results,
    unpacked,
)
from mlkd_brain.report.statistics import accuracy
from mlkd_brain.report.tables import (
    common_noises,
    for_system,
    left_out,
    listed,
    noises_frame,
    pooled_with_spread,
    systems_frame,
    systems_of,
    to_markdown,
    unseen_noises,
    unseen_note,
)


def main(argv: list[str]) -> None:
    """Read the command line and do what it asks for.

    Arguments
    ---------
    argv : list of str
        Options of the command.
    """
    parser = argparse.ArgumentParser(
        prog="mlkd report",
        description=__doc__.partition("\n\nAuthors")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_runs(parser)
    add("--out", help="folder for a whole report: Markdown, HTML, LaTeX, png")
    add("--into", help="Markdown file to write the tables into")
    add("--marker", default="results", help="name of its marker")
    add("--brief", action="store_true", help="without each system's noises")
    options = parser.parse_args(argv)
    given = pathlib.Path(options.results)
    with unpacked(given) as folder:
        which = {"evaluation": options.evaluation, "folds": options.folds}
        if options.out:
            # here, because drawing needs matplotlib, printing does not
            from mlkd_brain.report.pages import PAGE, write_report

            archive = None if given.is_dir() else given
            write_report(folder, options.out, archive=archive, **which)
            print(f"{options.out}/{PAGE}")
        if options.into or not options.out:
            text = report(folder, brief=options.brief, **which)
            print(text)
        if options.into:
            write_into(options.into, options.marker, text)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the options that name runs, as ``mlkd check`` has them too."""
    add = parser.add_argument
    add(
        "results", help="folder that holds the runs, or runs.tar.xz of a report"
    )
    add(
        "--evaluation",
        default=".",
        help="folder below fold_<k>, e.g. weighting_none",
    )
    add("--folds", type=int, nargs="+", help="only these, e.g. 1 2")


def report(
    results_folder: str | pathlib.Path,
    evaluation: str = ".",
    brief: bool = False,
    folds: Sequence[int] | None = None,
) -> str:
    """Tables 1 and 2 of everything below a folder, as Markdown.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    evaluation : str
        Folder below ``fold_<k>`` of another evaluation, e.g. "weighting_none".
    brief : bool
        Whether to leave out the table of each system.
    folds : list of int, optional
        The folds to report; all by default.

    Raises
    ------
    InputError
        If there are no predictions, or a file is damaged.

    Returns
    -------
    str
        Markdown.
    """
    results = read_results(evaluated_runs(results_folder, evaluation, folds))
    return _tables(results.predictions, results.protocols, brief)


def run_report(folder: str | pathlib.Path) -> str:
    """The tables of one run, after ``evaluate.py``.

    Arguments
    ---------
    folder : str or pathlib.Path
        Holds predictions.csv and protocol.json.

    Returns
    -------
    str
        Markdown; UA in percent.
    """
    folder = pathlib.Path(folder)
    is_own = folder.name.startswith("fold_")  # or an evaluation below a run
    run = RunFiles(folder) if is_own else RunFiles(folder.parent, folder.name)
    text = _tables(run.table, [run.protocol])
    return f"{text}\n\nin {folder}: {PREDICTIONS}, {NOISE_GRID}"


def _tables(
    predictions: DataFrame, protocols: list[dict], brief: bool = False
) -> str:
    """Table 1 over all noises and over factory noise, Table 2 of each system."""
    noises = common_noises(predictions)
    pooled = f"{len(noises)} noises pooled"
    shown = [("UA", pooled, noises), ("WA", pooled, noises)]
    shown += [("UA", name, [name]) for name in noises if "factory" in name]
    parts = []
    for name, what, own in shown:
        frame = systems_frame(predictions, own, pooled_with_spread, name)
        title = f"**{name}, {what}{unseen_note(own, protocols)}**"
        parts += [title, to_markdown(frame)]
    for system in [] if brief else systems_of(predictions):
        own = for_system(system, predictions)
        unseen = unseen_noises(system, own["noise"].unique(), protocols)
        parts.append(f"**{system}, UA by noise** ({_accuracies(own)})")
        parts.append(to_markdown(noises_frame(own, unseen)))
    spread = any("±" in part for part in parts)
    return "\n\n".join([*parts, _notes(predictions, protocols, spread)])


def _accuracies(predictions):
    """UA and WA of clean speech and of all noises."""
    clean = predictions["noise"] == CLEAN
    parts = {"clean": predictions[clean], "noises pooled": predictions[~clean]}
    return "; ".join(
        f"{name}: UA {accuracy(part):.1f} %, WA {accuracy(part, 'WA'):.1f} %"
        for name, part in parts.items()
    )


def _notes(predictions, protocols, spread):
    """What the numbers are, as a Markdown list."""
    utterances, speakers = predictions[["ID", "spk_id"]].nunique()
    kind = left_out(protocols).replace(" ", "-")
    trained = {
        protocol["system"]: protocol
        for protocol in protocols
        if "noise_heard" in protocol
    }
    notes = [
        f"leave-one-{kind}-out, {utterances} utterances of {speakers} speakers",
        *[
            "a number pools the utterances of all runs; ± is the standard "
            "deviation over runs (folds and seeds)"
        ]
        * spread,
        f"SNR weighting: {listed(sorted({p['weighting'] for p in protocols}))}",
    ]
    for system, protocol in trained.items():
        where = protocol.get("noise_heard_in")
        noises = listed(protocol["noise_heard"]) + (
            f" in {where}" if where else ""
        )
        notes.append(f"noise in the training of {system}: {noises}")
    if trained:
        notes.append(
            "test noise comes from ranges of the recordings that training and "
            "validation did not use"
        )
    notes += _missing_labels(protocols)
    if any(protocol.get("encoder_hub") for protocol in protocols):
        notes.append("the epoch was chosen by UA on the validation speaker")
    return "\n".join(f"- {note}" for note in notes)


def _missing_labels(protocols):
    """Folds whose test speakers lack a label, by what they lack."""
    folds: dict[str, set[int]] = {}
    for protocol in protocols:
        missing = protocol.get("missing_labels", {}).get("test")
        if missing:
            folds.setdefault(listed(missing), set()).add(protocol["fold"])
    return [
        f"no test utterance of {labels} in fold {listed(sorted(own))}: UA of "
        "such a fold is the mean recall of the labels that it has"
        for labels, own in folds.items()
    ]
