"""The command ``mlkd report``: print tables, or write a whole report.

    mlkd report results --out report
    mlkd report results --into README.md --marker demo

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
from collections.abc import Sequence

from mlkd_brain.commands import command_parser
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import escape, write_into
from mlkd_brain.names import CLEAN, NOISE_GRID, PREDICTIONS
from mlkd_brain.report.comparisons import pairs_frame
from mlkd_brain.report.formatting import (
    listed,
    mean_with_spread,
    number,
    to_markdown,
)
from mlkd_brain.report.results import (
    Results,
    RunFiles,
    evaluated_runs,
    read_results,
    unpacked,
)
from mlkd_brain.report.statistics import by_run
from mlkd_brain.report.systems import (
    common_noises,
    for_system,
    left_out,
    systems_of,
    unseen_noises,
    unseen_note,
)
from mlkd_brain.report.tables import noises_frame, systems_frame


def main(argv: list[str]) -> None:
    """Read the command line and do what it asks for.

    Arguments
    ---------
    argv : list of str
        Options of the command.
    """
    parser = command_parser("report", __doc__)
    add = parser.add_argument
    add_runs(parser)
    add("--out", help="folder for a whole report: Markdown, HTML, LaTeX, png")
    add("--into", help="Markdown file to write the tables into")
    add("--marker", default="results", help="name of its marker")
    add("--brief", action="store_true", help="without each system's noises")
    add(
        "--compare",
        nargs=2,
        action="append",
        metavar=("A", "B"),
        help="print A minus B with intervals instead; can be given again",
    )
    options = parser.parse_args(argv)
    given = pathlib.Path(options.results)
    with unpacked(given) as folder:
        which = {"evaluation": options.evaluation, "folds": options.folds}
        printed = options.into or options.compare or not options.out
        if options.out:
            # here, because drawing needs matplotlib, printing does not
            from mlkd_brain.report.pages import PAGE, write_report

            archive = None if given.is_dir() else given
            write_report(folder, options.out, archive=archive, **which)
            print(f"{options.out}/{PAGE}")
        if printed and options.compare:
            text = comparison(folder, options.compare, **which)
        elif printed:
            text = report(folder, brief=options.brief, **which)
        if printed:
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
    runs = evaluated_runs(results_folder, evaluation, folds)
    return printed_tables(read_results(runs), brief)


def comparison(
    results_folder: str | pathlib.Path,
    pairs: Sequence[Sequence[str]],
    evaluation: str = ".",
    folds: Sequence[int] | None = None,
) -> str:
    """Differences between some systems with their intervals, as Markdown.

    Arguments
    ---------
    results_folder, evaluation, folds
        As for ``report``.
    pairs : list
        Two systems each, the first minus the second.

    Raises
    ------
    InputError
        As for ``report``, and if a system is unknown.

    Returns
    -------
    str
        Markdown.
    """
    runs = evaluated_runs(results_folder, evaluation, folds)
    results = read_results(runs)
    known = systems_of(results.scores)
    unknown = {name for pair in pairs for name in pair} - {*known}
    if unknown:
        raise InputError(
            f"{results_folder}: has no runs of {listed(sorted(unknown))}; it has "
            f"{listed(known)}."
        )
    noises = common_noises(results.scores)
    return to_markdown(pairs_frame(results.scores, noises, pairs))


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
    text = printed_tables(read_results([run]))
    return f"{text}\n\nin {folder}: {PREDICTIONS}, {NOISE_GRID}"


def printed_tables(results: Results, brief: bool = False) -> str:
    """Table 1 over all noises and over factory noise, Table 2 of each system.

    Arguments
    ---------
    results : Results
        What is reported.
    brief : bool
        Whether to leave out Table 2.

    Returns
    -------
    str
        Markdown.
    """
    scores, protocols = results.scores, results.protocols
    noises = common_noises(scores)
    together = f"{len(noises)} noise{'s' * (len(noises) != 1)}"
    shown = [("UA", together, noises), ("WA", together, noises)]
    shown += [("UA", name, [name]) for name in noises if "factory" in name]
    parts = []
    for name, what, own in shown:
        frame = systems_frame(scores, own, mean_with_spread, name)
        note = unseen_note(own, protocols)
        parts += [f"**{escape(f'{name}, {what}{note}')}**", to_markdown(frame)]
    for system in [] if brief else systems_of(scores):
        own = for_system(system, scores)
        unseen = unseen_noises(system, own["noise"].unique(), protocols)
        title = escape(f"{system}, UA by noise")
        parts.append(f"**{title}** ({_accuracies(own)})")
        parts.append(to_markdown(noises_frame(own, unseen)))
    return "\n\n".join([*parts, _notes(results)])


def _accuracies(scores):
    """UA and WA of clean speech and of all noises."""
    clean = scores["noise"] == CLEAN
    parts = {"clean": scores[clean], "all noises": scores[~clean]}
    return "; ".join(
        f"{what}: UA {number(by_run(part).mean())} %, "
        f"WA {number(by_run(part, 'WA').mean())} %"
        for what, part in parts.items()
        if len(part)
    )


def _notes(results):
    """What the numbers are, as a Markdown list."""
    predictions, protocols = results.predictions, results.protocols
    utterances, speakers = predictions[["ID", "spk_id"]].nunique()
    unit = left_out(protocols)
    notes = [
        f"leave-one-{unit.replace(' ', '-')}-out, {utterances} utterances of "
        f"{speakers} speaker{'s' * (speakers != 1)}",
        "mean over runs (folds and seeds) ± their standard deviation",
        f"SNR weighting: {listed(sorted({p['weighting'] for p in protocols}))}",
        *_training_noise(protocols),
        *_missing_labels(protocols),
    ]
    if any(protocol.get("encoder_hub") for protocol in protocols):
        notes.append(f"the epoch was chosen by UA on the validation {unit}")
    return "\n".join(f"- {escape(note)}" for note in notes)


def _training_noise(protocols):
    """Noise in the training of each system; those that share it together."""
    systems: dict[str, list[str]] = {}
    for protocol in protocols:
        if "noise_heard" in protocol:
            where = protocol.get("noise_heard_in")
            noises = listed(protocol["noise_heard"])
            text = f"{noises} in {where}" if where else noises
            own = systems.setdefault(text, [])
            own += [] if protocol["system"] in own else [protocol["system"]]
    notes = [
        f"noise in the training of {listed(own)}: {text}"
        for text, own in systems.items()
    ]
    if notes:
        notes.append(
            "test noise comes from ranges of the recordings that training and "
            "validation did not use"
        )
    return notes


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
