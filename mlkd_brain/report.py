"""Tables in the paper's shape, from predictions.csv files alone.

    python -m mlkd_brain.report results
    python -m mlkd_brain.report results --into README.md --marker demo

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib

import pandas

from mlkd_brain.errors import InputError, one_line
from mlkd_brain.evaluation import CLEAN, PREDICTIONS
from mlkd_brain.markdown import markdown_table, write_into
from mlkd_brain.metrics import unweighted_accuracy, weighted_accuracy
from mlkd_brain.protocol import read_protocol

SYSTEMS = ("teacher", "student_unsupervised", "student")


def read_predictions(results_folder, evaluation="."):
    """All predictions below a folder of runs.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds ``<system>/<seed>/fold_<k>/predictions.csv``.
    evaluation : str
        Folder below ``fold_<k>`` of another evaluation, e.g. "weighting_none".

    Raises
    ------
    InputError
        If there are none.

    Returns
    -------
    pandas.DataFrame
        predictions.csv files joined.
    """
    paths = find(results_folder, evaluation, PREDICTIONS)
    if not paths:
        raise InputError(
            f"{results_folder}: holds no <system>/<seed>/fold_<k>/{evaluation}/"
            f"{PREDICTIONS}; run evaluate.py first."
        )
    return pandas.concat([pandas.read_csv(path) for path in paths])


def read_protocols(results_folder, evaluation="."):
    """protocol.json of every evaluation below a folder, as a list of dict."""
    paths = find(results_folder, evaluation, PREDICTIONS)
    return [read_protocol(path.parent) for path in paths]


def find(results_folder, evaluation, name):
    """A file of every run below a folder, sorted."""
    runs = pathlib.Path(results_folder).glob("*/*/fold_*")
    paths = [run / evaluation / name for run in sorted(runs)]
    return [path for path in paths if path.is_file()]


def protocol_lines(protocols):
    """What the numbers rest on, as Markdown."""
    weightings = sorted({card["weighting"] for card in protocols})
    heard = {
        card["system"]: ", ".join(card["noise_heard"])
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
            "- the epoch was chosen by UA on the validation speaker",
        ]
    )


def title(predictions):
    """Protocol of a table in words: folds, seeds, utterances."""
    folds = sorted(predictions["fold"].unique())
    seeds = sorted(predictions["seed"].unique())
    utterances = predictions["ID"].nunique()
    named = ", ".join(str(fold) for fold in folds)
    runs = len(predictions.groupby(["seed", "fold"]))
    spread = (
        f"; ± is the standard deviation over {runs} runs" if runs > 1 else ""
    )
    return (
        f"leave-one-speaker-out, {utterances} utterances, {len(folds)} of 10 "
        f"folds ({named}), seed {', '.join(map(str, seeds))}{spread}"
    )


def cell(predictions, accuracy=unweighted_accuracy):
    """Pooled accuracy of some predictions in percent, and its spread.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system and condition; "–" when there are none.
    accuracy : callable
        Of references and predictions.

    Returns
    -------
    str
        Percent, ± standard deviation over runs (folds and seeds) if several.

    Example
    -------
    >>> right = pandas.DataFrame(
    ...     {"emo": ["ang", "sad"], "predicted": ["ang", "sad"]}
    ... ).assign(fold=1, seed=1986)
    >>> cell(right)
    '100.0'
    """
    if predictions.empty:
        return "–"
    pooled = 100 * accuracy(predictions["emo"], predictions["predicted"])
    runs = [
        100 * accuracy(run["emo"], run["predicted"])
        for _, run in predictions.groupby(["seed", "fold"])
    ]
    if len(runs) < 2:
        return f"{pooled:.1f}"
    return f"{pooled:.1f} ± {pandas.Series(runs).std():.1f}"


def systems_table(predictions, noises, name="UA"):
    """Table 1 of the paper: systems x SNR and clean, over some noises.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.
    name : str
        "UA" or "WA".

    Returns
    -------
    str
        Markdown; percent.
    """
    accuracy = {"UA": unweighted_accuracy, "WA": weighted_accuracy}[name]
    noisy = predictions["noise"].isin(noises)
    snrs = sorted(predictions[noisy]["snr_db"].unique())
    header = [f"{name} %", *(f"{snr:g} dB" for snr in snrs), CLEAN]
    rows = []
    for system in _in_order(predictions["system"].unique()):
        own = predictions["system"] == system
        conditions = [
            *(own & noisy & (predictions["snr_db"] == snr) for snr in snrs),
            own & (predictions["noise"] == CLEAN),
        ]
        cells = [cell(predictions[where], accuracy) for where in conditions]
        rows.append([_with_folds(system, predictions), *cells])
    return markdown_table(header, rows)


def noises_table(predictions, unseen=()):
    """Table 2 of the paper: noises x SNR for one system, with a true mean.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system.
    unseen : collection of str
        Noise types to mark as not heard in training.

    Returns
    -------
    str
        Markdown; UA in percent, pooled over folds.
    """
    noisy = predictions[predictions["noise"] != CLEAN]
    snrs = sorted(noisy["snr_db"].unique())
    rows, values = [], []
    for noise, own in noisy.groupby("noise", sort=False):
        uas = [_ua(own[own["snr_db"] == snr]) for snr in snrs]
        values.append(uas)
        name = f"{noise} (unseen)" if noise in unseen else noise
        rows.append([name, *(f"{ua:.1f}" for ua in uas), f"{_mean(uas):.1f}"])
    means = [_mean(column) for column in zip(*values)]
    rows.append(["mean", *(f"{m:.1f}" for m in means), f"{_mean(means):.1f}"])
    return markdown_table(
        ["UA %", *(f"{snr:g} dB" for snr in snrs), "mean"], rows
    )


def report(results_folder, evaluation=".", brief=False, folds=None):
    """Tables 1 and 2 of everything below a folder, as Markdown.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    evaluation : str
        See ``read_predictions``.
    brief : bool
        Whether to leave out the table of each system.
    folds : list of int, optional
        The folds to report; all by default.

    Returns
    -------
    str
        Markdown.
    """
    predictions = read_predictions(results_folder, evaluation)
    if folds:
        predictions = predictions[predictions["fold"].isin(folds)]
    protocols = read_protocols(results_folder, evaluation)
    return tables(predictions, protocols, brief)


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
    systems = _in_order(predictions["system"].unique())
    noises = _common_noises(predictions)
    said = title(predictions)
    pooled = f"{len(noises)} noises pooled{_unseen_words(noises, protocols)}"
    parts = []
    for name in ("UA", "WA"):
        parts.append(f"**{name}, {pooled}** ({said})")
        parts.append(systems_table(predictions, noises, name))
    for noise in (name for name in noises if "factory" in name):
        words = _unseen_words([noise], protocols)
        parts.append(f"**UA, {noise}{words}** ({said})")
        parts.append(systems_table(predictions, [noise]))
    for system in [] if brief else systems:
        own = predictions[predictions["system"] == system]
        unseen = unseen_noises(system, own["noise"].unique(), protocols)
        parts.append(system_section(system, own, unseen))
    return "\n\n".join([*parts, protocol_lines(protocols)])


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
    predictions = pandas.read_csv(pathlib.Path(folder) / PREDICTIONS)
    text = tables(predictions, [read_protocol(folder)])
    return f"{text}\n\nin {folder}: {PREDICTIONS}, noise_grid.csv"


def system_section(system, predictions, unseen):
    """One system's accuracies in words, and its Table 2."""
    heard = predictions["noise"] == CLEAN
    words = [
        f"{name}: UA {_ua(part):.1f} %, WA {_wa(part):.1f} %"
        for name, part in (
            ("clean", predictions[heard]),
            ("noises pooled", predictions[~heard]),
        )
    ]
    return (
        f"**{system}, UA by noise** ({title(predictions)}; {'; '.join(words)})"
        f"\n\n{noises_table(predictions, unseen)}"
    )


def unseen_noises(system, noises, protocols):
    """Noise types that a system was never trained on; none for a teacher.

    Recordings are told apart by their content, not by their names.
    """
    cards = [card for card in protocols if card["system"] == system]
    return [
        noise
        for noise in noises
        if any(
            "noise_heard" in card
            and card["noise_evaluated"].get(noise)
            not in card["noise_heard"].values()
            for card in cards
        )
    ]


def _common_noises(predictions):
    """Noise types that every system was scored on, in order."""
    noisy = predictions[predictions["noise"] != CLEAN]
    systems = noisy.groupby("noise", sort=False)["system"].nunique()
    return list(systems[systems == predictions["system"].nunique()].index)


def _unseen_words(noises, protocols):
    systems = _in_order({card["system"] for card in protocols})
    words = [
        f"{', '.join(unseen)} unseen by {system}"
        for system in systems
        if (unseen := unseen_noises(system, noises, protocols))
    ]
    return f" ({'; '.join(words)})" if words else ""


def _in_order(systems):
    known = [name for name in SYSTEMS if name in systems]
    return known + sorted(set(systems) - set(known))


def _with_folds(system, predictions):
    """The system's name, with its folds when others have other ones."""
    runs = predictions.groupby("system")["fold"].agg(lambda f: tuple(set(f)))
    if runs.nunique() == 1:
        return system
    return f"{system} (folds {', '.join(map(str, sorted(runs[system])))})"


def _ua(predictions):
    return 100 * unweighted_accuracy(
        predictions["emo"], predictions["predicted"]
    )


def _wa(predictions):
    return 100 * weighted_accuracy(predictions["emo"], predictions["predicted"])


def _mean(values):
    return sum(values) / len(values)


def main(argv=None):
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", help="folder that holds the runs")
    parser.add_argument("--into", help="Markdown file to write the tables into")
    parser.add_argument(
        "--marker", default="results", help="place in that file"
    )
    parser.add_argument(
        "--evaluation",
        default=".",
        help="folder below fold_<k>, e.g. weighting_none",
    )
    parser.add_argument(
        "--brief",
        action="store_true",
        help="leave out the noises of each system",
    )
    parser.add_argument(
        "--folds", type=int, nargs="+", help="these alone, e.g. 1 2"
    )
    options = parser.parse_args(argv)
    text = report(
        options.results, options.evaluation, options.brief, options.folds
    )
    print(text)
    if options.into:
        write_into(options.into, options.marker, text)


if __name__ == "__main__":
    with one_line():
        main()
