"""Figures of curves: accuracy over SNR, accuracy and losses over epochs.

Authors
 * The MLKD team 2026
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from mlkd_brain.names import CLEAN
from mlkd_brain.report.statistics import accuracy, crossings, interval
from mlkd_brain.report.style import (
    GREY,
    colours,
    heading,
    label_ends,
    legend,
    marker,
    new_figure,
    panel_grid,
)
from mlkd_brain.report.tables import conditions, of
from mlkd_brain.report.titles import in_order

#: What is drawn of a train_log.txt.
TERMS = {
    ("train", "ce"): "cross-entropy, training",
    ("train", "kl"): "KL to the teacher, training",
    ("train", "mse"): "MSE to the teacher's blocks, training",
    ("valid", "ce"): "cross-entropy, validation",
    ("valid", "UA"): "UA on the validation speaker, %",
}


def ua_over_snr(predictions, panels):
    """UA over SNR with 95 % bands, clean speech at the right.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    panels : dict
        Heading to the noise types that are pooled there.

    Returns
    -------
    matplotlib.figure.Figure
        One row of panels. Where student and teacher cross is marked.
    """
    figure, (axes,) = new_figure(1, len(panels), 3.8, sharey=True)
    axes[0].set_ylabel("UA, %", fontsize=9, color=GREY)
    for panel, (name, noises) in zip(axes, panels.items()):
        heading(panel, name)
        ends = _draw_systems(panel, predictions, noises)
    figure.draw_without_rendering()  # which settles the limits
    label_ends(panel, ends)
    return figure


def ua_by_noise(predictions, noises):
    """UA over SNR, one panel for each noise type.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types, at least one.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels a row.
    """
    figure, axes, panels = panel_grid(len(noises), 2.3, sharey=True)
    for panel, noise in zip(panels, noises):
        heading(panel, noise)
        _draw_systems(panel, predictions, [noise])
    for panel in axes[:, 0]:
        panel.set_ylabel("UA, %", fontsize=9, color=GREY)
    legend(figure, in_order(predictions["system"].unique()))
    return figure


def _draw_systems(panel, predictions, noises):
    """Every system's curve; where each ends, (x, UA, colour) by name."""
    heard = conditions(predictions, noises)
    snrs = [key for key in heard if key != CLEAN]
    places = _places(snrs, CLEAN in heard)
    systems = in_order(predictions["system"].unique())
    ends, curves = {}, {}
    aside = _aside(len(systems), places)
    for (system, colour), shift in zip(colours(systems).items(), aside):
        curves[system] = {
            key: (accuracy(part), *interval(part))
            for key, own in heard.items()
            if len(part := of(system, own))
        }
        own_places = {**places, CLEAN: places.get(CLEAN, 0) + shift}
        ends[system] = _draw_curve(
            panel, system, colour, curves[system], own_places
        )
    _mark_crossing(panel, curves)
    panel.set_xticks(list(places.values()), _ticks(heard))
    panel.set_xlabel("SNR, dB", fontsize=9, color=GREY)
    return ends


def _places(snrs, clean):
    """Where the conditions lie on the axis; clean a step beyond the last."""
    step = snrs[-1] - snrs[-2] if len(snrs) > 1 else 5
    beyond = {CLEAN: max(snrs, default=0) + 1.3 * step} if clean else {}
    return {**dict(zip(snrs, snrs)), **beyond}


def _aside(systems, places):
    """How far each system's clean point lies aside, not to hide another's."""
    width = (max(places.values()) - min(places.values()) or 1) / 60
    return width * (np.arange(systems) - (systems - 1) / 2)


def _ticks(heard):
    return [key if key == CLEAN else f"{key:g}" for key in heard]


def _draw_curve(panel, system, colour, curve, places):
    look = {"color": colour, "marker": marker(system), "markersize": 4.5}
    noisy = [key for key in curve if key != CLEAN]
    x = [places[key] for key in noisy]
    middle, low, high = (
        zip(*(curve[key] for key in noisy)) if noisy else [()] * 3
    )
    panel.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    panel.plot(x, middle, linewidth=1.8, **look)
    if CLEAN in curve:
        value, low, high = curve[CLEAN]
        place = places[CLEAN]
        panel.vlines(place, low, high, color=colour, alpha=0.35, linewidth=2)
        panel.plot(
            [*x[-1:], place],
            [*middle[-1:], value],
            ":",
            linewidth=1,
            color=colour,
        )
        panel.plot([place], [value], **look)
        return place, value, colour
    return x[-1], middle[-1], colour


def _mark_crossing(panel, curves):
    """A line where the student meets its teacher."""
    if not {"student", "teacher"} <= curves.keys():
        return
    student, teacher = curves["student"], curves["teacher"]
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


def training(curves):
    """Each term of the loss and the validation UA, over epochs.

    Arguments
    ---------
    curves : pandas.DataFrame
        One row an epoch and term, see ``mlkd_brain.report.results``.

    Returns
    -------
    matplotlib.figure.Figure
        A thin line for each run, a thick one for the mean over runs.
    """
    terms = curves.set_index(["part", "term"])
    shown = {key: name for key, name in TERMS.items() if key in terms.index}
    figure, _, panels = panel_grid(len(shown), 2.2)
    for panel, (key, name) in zip(panels, shown.items()):
        heading(panel, name)
        _draw_runs(panel, terms.loc[[key]], 100 if key[1] == "UA" else 1)
        panel.set_xlabel("epoch", fontsize=9, color=GREY)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure, in_order(curves["system"].unique()))
    return figure


def _draw_runs(panel, rows, factor):
    for system, colour in colours(in_order(rows["system"].unique())).items():
        own = of(system, rows)
        runs = own.pivot_table(
            "value", index="epoch", columns=["seed", "fold"]
        ).mul(factor)
        panel.plot(runs.index, runs, color=colour, linewidth=0.6, alpha=0.25)
        # a mean over fewer runs than began would jump where one ends
        mean = runs.dropna().mean(axis=1)
        panel.plot(mean.index, mean, color=colour, linewidth=2)
