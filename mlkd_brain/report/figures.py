"""The figures of a report: curves, confusion, calibration, speakers.

Authors
 * The MLKD team 2026
"""

import re
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mlkd_brain.names import CLEAN
from mlkd_brain.report.formatting import column
from mlkd_brain.report.statistics import (
    by_run,
    crossings,
    interval,
    reliability,
    scores_of_runs,
)
from mlkd_brain.report.style import (
    GREY,
    WIDTH,
    heading,
    label_ends,
    legend,
    new_figure,
    panel_grid,
    spoken,
)
from mlkd_brain.report.systems import (
    by_condition,
    colours,
    for_system,
    marker,
    systems_of,
)
from mlkd_brain.report.tables import speaker_name
from pandas import DataFrame

#: Terms of a train_log.txt that have a name in words; they are drawn first.
TERMS = {
    ("train", "ce"): "cross-entropy, training",
    ("train", "kl"): "KL to the teacher, training",
    ("train", "mse"): "MSE to the teacher's blocks, training",
    ("valid", "ce"): "cross-entropy, validation",
    ("valid", "UA"): "UA, validation, %",
    ("train", "clipped"): "share of steps that were clipped",
    ("train", "grad_share_ce"): "cross-entropy's share of the gradient",
    ("train", "grad_share_kl"): "KL's share of the gradient",
    ("train", "grad_share_mse"): "MSE's share of the gradient",
}
#: What else is logged of the training.
NO_TERM = re.compile("loss|UA.*|WA|lr")
FEW_CLASSES = 5  # of a confusion matrix at every SNR
SMALLEST = 4.5  # points that can be read
FEWEST = 0.01  # of the utterances, for a bin of confidence to be drawn


def ua_over_snr(
    scores: DataFrame, panels: Mapping[str, Sequence[str]]
) -> Figure:
    """UA over SNR with 95 % bands, clean speech at the right.

    Where student and teacher cross is marked.

    Arguments
    ---------
    scores : pandas.DataFrame
        Of several systems, from ``statistics.scores_of_runs``.
    panels : dict
        Heading to the noise types that are taken together there.
    """
    figure, (axes,) = new_figure(1, len(panels), 3.8, sharey=True)
    axes[0].set_ylabel("UA, %", fontsize=9, color=GREY)
    systems = systems_of(scores)
    for panel, (name, noises) in zip(axes, panels.items()):
        heading(panel, name)
        ends = _draw_systems(panel, by_condition(scores, noises), systems)
    figure.draw_without_rendering()  # which fixes the limits
    label_ends(panel, ends)
    return figure


def ua_by_noise(scores: DataFrame, noises: Sequence[str]) -> Figure:
    """As ``ua_over_snr``, one panel for each noise type, three a row."""
    figure, axes, panels = panel_grid(len(noises), 2.3, sharey=True)
    systems = systems_of(scores)
    for panel, noise in zip(panels, noises):
        heading(panel, noise)
        _draw_systems(panel, by_condition(scores, [noise]), systems)
    for panel in axes[:, 0]:
        panel.set_ylabel("UA, %", fontsize=9, color=GREY)
    legend(figure, systems)
    return figure


def _draw_systems(panel, index, systems):
    """Every system's curve; where each ends, (x, UA, colour) by name."""
    snrs = [key for key in index if key != CLEAN]
    x = dict(zip(snrs, snrs))
    if CLEAN in index:  # a step beyond the last
        step = snrs[-1] - snrs[-2] if len(snrs) > 1 else 5
        x[CLEAN] = max(snrs, default=0) + 1.3 * step
    # clean points lie side by side, so that none hides another
    width = (max(x.values()) - min(x.values()) or 1) / 60
    shifts = width * (np.arange(len(systems)) - (len(systems) - 1) / 2)
    ends, curves = {}, {}
    for (system, colour), shift in zip(colours(systems).items(), shifts):
        curves[system] = {
            key: (runs.mean(), *interval(runs))
            for key, parts in index.items()
            if system in parts
            for runs in [by_run(parts[system])]
        }
        own_x = {**x, CLEAN: x.get(CLEAN, 0) + shift}
        ends[system] = _draw_curve(panel, system, colour, curves[system], own_x)
    _mark_crossing(panel, curves)
    ticks = [key if key == CLEAN else f"{key:g}" for key in x]
    panel.set_xticks(list(x.values()), ticks)
    panel.set_xlabel("SNR, dB", fontsize=9, color=GREY)
    return ends


def _draw_curve(panel, system, colour, curve, positions):
    style = {"color": colour, "marker": marker(system), "markersize": 4.5}
    noisy = [key for key in curve if key != CLEAN]
    x = [positions[key] for key in noisy]
    middle, low, high = (
        zip(*(curve[key] for key in noisy)) if noisy else [()] * 3
    )
    panel.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    panel.plot(x, middle, linewidth=1.8, **style)
    if CLEAN not in curve:
        return x[-1], middle[-1], colour
    value, low, high = curve[CLEAN]
    end = positions[CLEAN]
    panel.vlines(end, low, high, color=colour, alpha=0.35, linewidth=2)
    link = [*x[-1:], end], [*middle[-1:], value]
    panel.plot(*link, ":", linewidth=1, color=colour)
    panel.plot([end], [value], **style)
    return end, value, colour


def _mark_crossing(panel, curves):
    """A line where the student meets its teacher."""
    student, teacher = (curves.get(n, {}) for n in ("student", "teacher"))
    snrs = [key for key in student if key != CLEAN and key in teacher]
    values = [[curve[snr][0] for snr in snrs] for curve in (student, teacher)]
    for snr in crossings(snrs, *values):
        panel.axvline(snr, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        panel.annotate(
            f"{snr:.1f} dB",
            (snr, 0),
            (3, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=8,
            color=GREY,
        )


def training(curves: DataFrame, every: bool = False) -> Figure:
    """Each term of the loss and the validation UA, over epochs.

    A thin line for each run, a thick one for the mean over runs.

    Arguments
    ---------
    curves : pandas.DataFrame
        One row an epoch and term, see ``mlkd_brain.report.results``.
    every : bool
        Whether to draw all else that is logged too, e.g. the learning rate.
    """
    terms = curves.set_index(["part", "term"])
    shown = _shown_terms(dict.fromkeys(terms.index), every)
    figure, _, panels = panel_grid(len(shown), 2.2)
    for panel, (key, name) in zip(panels, shown.items()):
        heading(panel, name)
        _draw_runs(panel, terms.loc[[key]], 100 if name.endswith("%") else 1)
        panel.set_xlabel("epoch", fontsize=9, color=GREY)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure, systems_of(curves))
    return figure


def _shown_terms(logged, every):
    """Logged terms, (part, name), with the heading of each one's panel.

    Terms of an objective that somebody added are drawn like the paper's.
    """
    known = {key: name for key, name in TERMS.items() if key in logged}
    parts = {"train": "training", "valid": "validation"}
    others = {
        (part, term): f"{spoken(term)}, {parts[part]}"
        + ", %" * term.startswith(("UA", "WA"))
        for part, term in logged
        if (part, term) not in known
        and (every or part == "train" and not NO_TERM.fullmatch(term))
    }
    return known | others


def _draw_runs(panel, rows, factor):
    for system, colour in colours(systems_of(rows)).items():
        runs = for_system(system, rows).pivot_table(
            "value", index="epoch", columns=["seed", "fold"]
        )
        runs *= factor
        # hundreds of lines: smoothed, they are half of a report's bytes
        thin = {"linewidth": 0.6, "alpha": 0.2, "antialiased": False}
        panel.plot(runs.index, runs, color=colour, **thin)
        # a mean over fewer runs than began would jump where one ends
        mean = runs.dropna().mean(axis=1)
        panel.plot(mean.index, mean, color=colour, linewidth=2)


def confusion(predictions: DataFrame, noises: Sequence[str]) -> Figure:
    """Confusion matrices: a row of them for each system, a column for each SNR.

    Percent of the true class (row), utterances of all runs pooled; the diagonal
    is the recalls. With more than ``FEW_CLASSES`` there are three columns,
    lowest SNR, highest and clean, so that the numbers have room; where they
    still have none, the colour alone is left. Arguments are those of
    ``by_condition``.
    """
    index = by_condition(predictions, noises)
    systems = systems_of(predictions)
    emotions = sorted(predictions["emo"].unique())
    if len(emotions) > FEW_CLASSES:
        shown = {*list(index)[:1], *list(index)[-2:]}
        index = {key: parts for key, parts in index.items() if key in shown}
    side = (WIDTH - 0.6) / max(4, len(index))
    figure, axes = new_figure(
        len(systems), len(index), 0.6 + 1.06 * side * len(systems)
    )
    # points; three digits are as wide as twice their height
    size = min(7.5, 0.45 * 72 * side / len(emotions))
    for row, system in zip(axes, systems):
        for panel, (key, parts) in zip(row, index.items()):
            own = parts.get(system, predictions.iloc[:0])
            _draw_matrix(panel, own, emotions, size)
            panel.set_xticks([])
            panel.set_yticks([])
            if system == systems[0]:
                panel.set_title(column(key), fontsize=9)
            if system == systems[-1]:
                turned = 0 if _fit(emotions, side, size) else 90
                panel.set_xticks(
                    range(len(emotions)), emotions, rotation=turned
                )
        row[0].set_yticks(range(len(emotions)), emotions)
        row[0].set_ylabel(textwrap.fill(spoken(system), 14), fontsize=9)
    return figure


def _fit(names, side, size):
    """Whether names fit below one another's cells; a letter is half as wide."""
    return max(map(len, names)) * 0.6 * size < 72 * side / len(names)


def _draw_matrix(panel, predictions, emotions, size):
    true, predicted = (
        pandas.Index(emotions).get_indexer(predictions[name])
        for name in ("emo", "predicted")
    )
    # the last column, -1, is for what is no class of the test
    counts = np.zeros((len(emotions), len(emotions) + 1))
    np.add.at(counts, (true, predicted), 1)
    utterances = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    percent = 100 * (counts[:, :-1] / utterances)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0, labelsize=max(size, SMALLEST))
    panel.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (y, x), value in np.ndenumerate(percent):
        if size < SMALLEST:
            break
        panel.text(
            x,
            y,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=size,
            fontweight="bold" if x == y else "normal",
            color="white" if value > 55 else "#333333",
            in_layout=False,  # they lie within their cells
        )


def reliability_diagram(
    predictions: DataFrame, noises: Sequence[str]
) -> Figure:
    """Accuracy over confidence, one panel for each SNR; as ``confusion``.

    On the diagonal confidence equals accuracy. Larger points have more
    utterances; one of less than 1 % of them is left out.
    """
    index = by_condition(predictions, noises)
    systems = systems_of(predictions)
    figure, axes, panels = panel_grid(len(index), 2.6, sharey=True)
    for panel, (key, parts) in zip(panels, index.items()):
        heading(panel, column(key))
        panel.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1)
        for system, colour in colours(systems).items():
            if system in parts:
                _draw_reliability(panel, system, parts[system], colour)
        panel.set(xlim=(20, 102), ylim=(-2, 102))
        panel.set_xlabel("confidence, %", fontsize=9, color=GREY)
    for panel in axes[:, 0]:
        panel.set_ylabel("right, %", fontsize=9, color=GREY)
    legend(figure, systems)
    return figure


def _draw_reliability(panel, system, predictions, colour):
    bins = reliability(predictions)
    bins = bins[bins["utterances"] >= FEWEST * len(predictions)]
    x, y = 100 * bins["confidence"], 100 * bins["accuracy"]
    sizes = 8 + 150 * bins["utterances"] / bins["utterances"].sum()
    style = {"color": colour, "alpha": 0.8}
    panel.plot(x, y, linewidth=1.3, **style)
    panel.scatter(x, y, sizes, marker=marker(system), **style)


def speakers(predictions: DataFrame, noises: Sequence[str]) -> Figure:
    """UA of each test speaker and system, in noise and of clean speech.

    Arguments are those of ``confusion``.
    """
    names = sorted(predictions["spk_id"].unique(), reverse=True)
    labels = {
        speaker: speaker_name(speaker, own)
        for speaker, own in predictions.groupby("spk_id")
    }
    figure, (axes,) = new_figure(1, 2, 1.1 + 0.28 * len(names), sharey=True)
    conditions = {
        f"{len(noises)} noises, all SNRs": predictions["noise"].isin(noises),
        "clean speech": predictions["noise"] == CLEAN,
    }
    systems = systems_of(predictions)
    for panel, (title, where) in zip(axes, conditions.items()):
        heading(panel, title)
        panel.set_xlabel("UA, %", fontsize=9, color=GREY)
        panel.set_yticks(range(len(names)), [labels[n] for n in names])
        panel.set_ylim(-0.6, len(names) - 0.4)
        scores = scores_of_runs(predictions[where], ["spk_id"])
        groups = scores.groupby(["spk_id", "system"])
        values = {key: by_run(own).mean() for key, own in groups}
        for y, name in enumerate(names):
            own = {s: values[name, s] for s in systems if (name, s) in values}
            _draw_speaker(panel, y, own, colours(systems))
    legend(figure, systems)
    return figure


def _draw_speaker(panel, y, values, colour):
    if values:
        edges = min(values.values()), max(values.values())
        panel.hlines(y, *edges, color="#dddddd", zorder=1)
    for system, value in values.items():
        style = {"color": colour[system], "markersize": 6}
        panel.plot(value, y, marker(system), **style)
