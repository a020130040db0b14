"""Figures of cells: confusion matrices, reliability, speakers.

Authors
 * The MLKD team 2026
"""

import numpy as np
import pandas

from mlkd_brain.evaluation import CLEAN
from mlkd_brain.report.statistics import (
    accuracy,
    calibration_error,
    reliability,
)
from mlkd_brain.report.style import (
    GREY,
    colours,
    heading,
    legend,
    marker,
    new_figure,
    panel_grid,
    spoken,
)
from mlkd_brain.report.tables import column, conditions, of
from mlkd_brain.report.titles import in_order

FEWEST = 0.01  # of the utterances, for a bin to be drawn: fewer say little


def confusion(predictions, noises):
    """Confusion matrices: a row of them for each system, a column for each SNR.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    matplotlib.figure.Figure
        Percent of the true class (row); the diagonal is the recalls.
    """
    heard = conditions(predictions, noises)
    systems = in_order(predictions["system"].unique())
    emotions = sorted(predictions["emo"].unique())
    figure, axes = new_figure(
        len(systems), len(heard), 0.3 + 1.45 * len(systems)
    )
    for row, system in zip(axes, systems):
        for panel, (key, own) in zip(row, heard.items()):
            _draw_matrix(panel, of(system, own), emotions)
            panel.set_xticks(range(len(emotions)), emotions)
            panel.set_yticks([])
            if system == systems[0]:
                panel.set_title(column(key), fontsize=9)
            if system != systems[-1]:
                panel.set_xticks([])
        row[0].set_yticks(range(len(emotions)), emotions)
        row[0].set_ylabel(spoken(system), fontsize=9)
    return figure


def _draw_matrix(panel, predictions, emotions):
    shares = pandas.crosstab(
        predictions["emo"], predictions["predicted"], normalize="index"
    ).reindex(index=emotions, columns=emotions, fill_value=0)
    percent = 100 * shares.to_numpy(float)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0, labelsize=7.5)
    panel.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (y, x), value in np.ndenumerate(percent):
        panel.text(
            x,
            y,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=7.5,
            fontweight="bold" if x == y else "normal",
            color="white" if value > 55 else "#333333",
        )


def reliability_diagram(predictions, noises):
    """Accuracy over confidence, one panel for each SNR.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems, with probabilities.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    matplotlib.figure.Figure
        Points on the diagonal are as right as they are sure; larger points
        have more utterances, and a point of less than 1 % of them is left out.
        The numbers are expected calibration errors, of all bins.
    """
    heard = conditions(predictions, noises)
    systems = in_order(predictions["system"].unique())
    figure, axes, panels = panel_grid(len(heard), 2.6, sharey=True)
    for panel, (key, own) in zip(panels, heard.items()):
        heading(panel, column(key))
        panel.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1)
        for place, (system, colour) in enumerate(colours(systems).items()):
            if len(part := of(system, own)):
                _draw_reliability(panel, system, part, colour)
                _write_error(panel, part, colour, place)
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
    share = bins["utterances"] / bins["utterances"].sum()
    panel.plot(x, y, color=colour, linewidth=1.3, alpha=0.8)
    panel.scatter(
        x, y, 8 + 150 * share, color=colour, marker=marker(system), alpha=0.8
    )


def _write_error(panel, predictions, colour, place):
    panel.text(
        22,
        99 - 8.5 * place,
        f"ECE {calibration_error(predictions):.1f}",
        color=colour,
        fontsize=8,
        va="top",
    )


def speakers(predictions, noises):
    """UA of each test speaker, in noise and of clean speech.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels; a point for each system and speaker.
    """
    names = sorted(predictions["spk_id"].unique(), reverse=True)
    figure, (axes,) = new_figure(1, 2, 1.1 + 0.28 * len(names), sharey=True)
    parts = {
        f"{len(noises)} noises, all SNRs": predictions["noise"].isin(noises),
        "clean speech": predictions["noise"] == CLEAN,
    }
    systems = in_order(predictions["system"].unique())
    for panel, (name, where) in zip(axes, parts.items()):
        heading(panel, name)
        panel.set_xlabel("UA, %", fontsize=9, color=GREY)
        panel.set_yticks(
            range(len(names)), [_named(n, predictions) for n in names]
        )
        for y, speaker in enumerate(names):
            own = predictions[where & (predictions["spk_id"] == speaker)]
            _draw_speaker(panel, y, own, systems)
    legend(figure, systems)
    return figure


def _named(speaker, predictions):
    if "gender" not in predictions:
        return speaker
    own = predictions["spk_id"] == speaker
    return f"{speaker} ({predictions[own]['gender'].iloc[0]})"


def _draw_speaker(panel, y, predictions, systems):
    values = {
        system: accuracy(own)
        for system in systems
        if len(own := of(system, predictions))
    }
    if not values:
        return
    panel.hlines(
        y, min(values.values()), max(values.values()), color="#dddddd", zorder=1
    )
    for system, colour in colours(systems).items():
        if system in values:
            panel.plot(
                values[system], y, marker(system), color=colour, markersize=6
            )
