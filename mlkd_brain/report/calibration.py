"""Whether a system is as right as it is sure.

Authors
 * The MLKD team 2026
"""

import numpy as np
import pandas

from mlkd_brain.report.cells import NOTHING, number
from mlkd_brain.report.style import (
    GREY,
    colours,
    heading,
    legend,
    marker,
    panel_grid,
)
from mlkd_brain.report.tables import column, conditions, of
from mlkd_brain.report.titles import in_order, with_runs

BINS = 10  # of confidence, equally wide
FEWEST = 0.01  # of the utterances, for a bin to be drawn: fewer say little


def reliability(predictions):
    """How often a confidence is right.

    Arguments
    ---------
    predictions : pandas.DataFrame
        With a probability for each class, ``p_<emotion>``.

    Returns
    -------
    pandas.DataFrame
        ``utterances``, mean ``confidence`` and ``accuracy`` in [0, 1] for each
        of ``BINS`` bins of the winner's probability that is not empty.
    """
    probabilities = predictions.filter(regex="^p_").to_numpy()
    confidence = probabilities.max(axis=1)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    table = pandas.DataFrame(
        {
            "confidence": confidence,
            "accuracy": (
                predictions["emo"] == predictions["predicted"]
            ).to_numpy(float),
        }
    )
    bins = table.groupby(place)
    return bins.mean().assign(utterances=bins.size())


def calibration_error(predictions):
    """Expected calibration error: how far confidence is from accuracy.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
    equation 3, with ``BINS`` bins.

    Arguments
    ---------
    predictions : pandas.DataFrame
        As in ``reliability``.

    Returns
    -------
    float
        Percentage points, in [0, 100].
    """
    bins = reliability(predictions)
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float(100 * np.average(gaps, weights=bins["utterances"]))


def calibration_frame(predictions, noises):
    """Expected calibration error of each system and condition, in points."""
    heard = conditions(predictions, noises)
    return pandas.DataFrame(
        {
            "ECE, points": with_runs(system, predictions),
            **{
                column(key): number(calibration_error(own_system))
                if len(own_system := of(system, own))
                else NOTHING
                for key, own in heard.items()
            },
        }
        for system in in_order(predictions["system"].unique())
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
    """
    heard = conditions(predictions, noises)
    systems = in_order(predictions["system"].unique())
    figure, axes, panels = panel_grid(len(heard), 2.6, sharey=True)
    for panel, (key, own) in zip(panels, heard.items()):
        heading(panel, column(key))
        panel.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1)
        for system, colour in colours(systems).items():
            if len(part := of(system, own)):
                _draw_reliability(panel, system, part, colour)
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
