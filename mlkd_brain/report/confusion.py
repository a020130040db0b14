"""Which emotion is taken for which.

Authors
 * The MLKD team 2026
"""

import textwrap

import numpy as np
import pandas

from mlkd_brain.report.style import WIDTH, new_figure, spoken
from mlkd_brain.report.tables import column, conditions, of
from mlkd_brain.report.titles import in_order


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
    side = (WIDTH - 0.6) / max(4, len(heard))
    figure, axes = new_figure(
        len(systems), len(heard), 0.4 + 1.06 * side * len(systems)
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
        row[0].set_ylabel(textwrap.fill(spoken(system), 14), fontsize=9)
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
