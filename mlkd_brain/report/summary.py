"""The tables that are printed, and that stand in a README.

Authors
 * The MLKD team 2026
"""

import pathlib

from mlkd_brain.markdown import markdown_table
from mlkd_brain.names import CLEAN, PREDICTIONS
from mlkd_brain.report.cells import pooled_with_spread
from mlkd_brain.report.results import (
    evaluated_runs,
    read_predictions,
    read_table,
)
from mlkd_brain.report.statistics import accuracy
from mlkd_brain.report.tables import noises_frame, of, systems_frame
from mlkd_brain.report.titles import (
    common_noises,
    in_order,
    title,
    unseen_noises,
    unseen_words,
)
from mlkd_brain.run.protocol import read_protocol

EPOCH = ["- the epoch was chosen by UA on the validation speaker"]
POOLED = (
    "- a number pools the utterances of all runs; ± is of the runs' own numbers"
)


def report(results_folder, evaluation=".", brief=False, folds=None):
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

    Returns
    -------
    str
        Markdown.
    """
    asked = (results_folder, evaluation, folds)
    protocols = [read_protocol(run.evaluated) for run in evaluated_runs(*asked)]
    return tables(read_predictions(*asked), protocols, brief)


def run_report(folder):
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
    predictions = read_table(pathlib.Path(folder) / PREDICTIONS)
    text = tables(predictions, [read_protocol(folder)])
    return f"{text}\n\nin {folder}: {PREDICTIONS}, noise_grid.csv"


def tables(predictions, protocols, brief=False):
    """Table 1 over all noises and over factory noise, Table 2 of each system.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one or several systems.
    protocols : list of dict
        Of the same runs.
    brief : bool
        Whether to leave out Table 2.

    Returns
    -------
    str
        Markdown.
    """
    noises = common_noises(predictions)
    said = title(predictions, protocols, spread=True)
    asked = [("UA", noises), ("WA", noises)]
    asked += [("UA", [name]) for name in noises if "factory" in name]
    parts = []
    for name, heard in asked:
        words = f"{_in_words(heard, noises)}{unseen_words(heard, protocols)}"
        frame = systems_frame(predictions, heard, pooled_with_spread, name)
        parts += [f"**{name}, {words}** ({said})", _markdown(frame)]
    for system in [] if brief else in_order(predictions["system"].unique()):
        parts += _system_section(system, of(system, predictions), protocols)
    lines = [POOLED] if "±" in said else []
    lines.append(protocol_lines(protocols))
    return "\n\n".join([*parts, "\n".join(lines)])


def _in_words(heard, noises):
    return f"{len(noises)} noises pooled" if heard is noises else heard[0]


def _system_section(system, predictions, protocols):
    """One system's accuracies in words, and its Table 2."""
    clean = predictions["noise"] == CLEAN
    words = [
        f"{name}: UA {accuracy(part):.1f} %, WA {accuracy(part, 'WA'):.1f} %"
        for name, part in (
            ("clean", predictions[clean]),
            ("noises pooled", predictions[~clean]),
        )
    ]
    unseen = unseen_noises(system, predictions["noise"].unique(), protocols)
    said = title(predictions, protocols)
    return [
        f"**{system}, UA by noise** ({said}; {'; '.join(words)})",
        _markdown(noises_frame(predictions, unseen)),
    ]


def protocol_lines(protocols):
    """What the numbers rest on, as Markdown."""
    weightings = sorted({card["weighting"] for card in protocols})
    heard = {
        card["system"]: _heard(card)
        for card in protocols
        if "noise_heard" in card
    }
    return "\n".join(
        [
            f"- SNR weighting: {', '.join(weightings)}",
            *(
                f"- {system} was trained with {noises}; test noise comes from "
                "ranges of the recordings that training and validation did not "
                "hear"
                for system, noises in heard.items()
            ),
            *EPOCH * any(card.get("wav2vec2_hub") for card in protocols),
        ]
    )


def _heard(card):
    """Noises, and where they were heard if not by all of a system."""
    noises, where = ", ".join(card["noise_heard"]), card.get("noise_heard_in")
    return f"{noises} in {where}" if where else noises


def _markdown(frame):
    return markdown_table(list(frame), frame.to_numpy().tolist())
