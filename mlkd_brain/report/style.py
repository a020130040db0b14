"""How the figures of a report look.

Authors
 * The MLKD team 2026
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mlkd_brain.report.systems import colours, marker
from PIL import Image

DPI = 150
WIDTH = 8.5  # inches; a README shows them about 880 pixels wide
LINE = 12 / 72  # inches from one label to the next
LEGEND = 125  # characters of a legend's row
COLOURS = 256
GREY = "#6e6e6e"
#: A name with dollar signs is no formula; type 42, which journals take.
RC = {"text.parse_math": False, "pdf.fonttype": 42}


def spoken(system: str) -> str:
    """A system's name without underscores."""
    return system.replace("_", " ")


def new_figure(
    rows: int, columns: int, height: float, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of README width and its axes, (rows, columns).

    Arguments
    ---------
    rows, columns : int
        Of axes.
    height : float
        Inches.
    **options
        Passed to ``subplots``.
    """
    figure = Figure((WIDTH, height), DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(GREY)
        panel.tick_params(colors=GREY, labelsize=8)
        panel.grid(axis="y", color="#e6e6e6", linewidth=0.7)
        panel.set_axisbelow(True)
    return figure, axes


def panel_grid(
    count: int, height: float, **options: Any
) -> tuple[Figure, np.ndarray, list[Any]]:
    """A figure for some panels, at most three a row.

    Arguments
    ---------
    count : int
        Panels.
    height : float
        Of a row, inches.
    **options
        Passed to ``subplots``.

    Returns
    -------
    figure, axes
        As from ``new_figure``, with room for a legend.
    panels : list
        The first ``count`` axes; the others are hidden.
    """
    columns = 2 if count in (2, 4) else min(3, count)
    rows = -(-count // columns)
    figure, axes = new_figure(rows, columns, 0.6 + height * rows, **options)
    for panel in axes.flat[count:]:
        panel.set_axis_off()
    return figure, axes, list(axes.flat[:count])


def save_png(figure: Figure, path: str | pathlib.Path) -> None:
    """Write a figure with few colours, a third of the bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def save_pdf(figure: Figure, path: str | pathlib.Path) -> None:
    """Write a figure as PDF, the same bytes each time."""
    figure.savefig(path, metadata={"CreationDate": None})


def heading(panel: Any, text: str) -> None:
    """A panel's title, at its left."""
    panel.set_title(text, fontsize=9, loc="left")


def label_ends(panel: Any, ends: dict[str, tuple]) -> None:
    """Write each curve's name at its end, apart from one another.

    Arguments
    ---------
    panel : matplotlib.axes.Axes
        Drawn once, so that its limits and its size are known.
    ends : dict
        Name to where the curve ends: x, y and colour.
    """
    low, high = panel.get_ylim()
    inches = panel.get_window_extent().height / panel.figure.dpi
    apart = (high - low) * LINE / inches
    names = sorted(ends, key=lambda name: ends[name][1])
    heights = spread([ends[name][1] for name in names], apart)
    x = max(end[0] for end in ends.values())
    for name, y in zip(names, heights):
        panel.annotate(
            spoken(name),
            (x, y),
            (8, 0),
            textcoords="offset points",
            color=ends[name][2],
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def legend(figure: Figure, systems: Sequence[str]) -> None:
    """Names of the systems below a figure."""
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=marker(system),
            markersize=5,
            label=spoken(system),
        )
        for system, colour in colours(systems).items()
    ]
    longest = max(map(len, systems))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), max(1, LEGEND // (longest + 6))),
        frameon=False,
        fontsize=9,
    )


def spread(values: Sequence[float], apart: float) -> list[float]:
    """Rising values moved as little as needed to be some distance apart.

    Example
    -------
    >>> spread([0.0, 0.5, 5.0], apart=1.0)
    [-0.25, 0.75, 5.0]
    """
    groups = []
    for value in values:
        groups.append([value])
        # groups that would touch become one, around their mean
        while len(groups) > 1 and _gap(groups[-2], groups[-1], apart) < apart:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [float(y) for group in groups for y in _around_mean(group, apart)]


def _gap(below, above, apart):
    return _around_mean(above, apart)[0] - _around_mean(below, apart)[-1]


def _around_mean(group, apart):
    steps = np.arange(len(group)) - (len(group) - 1) / 2
    return np.mean(group) + apart * steps
