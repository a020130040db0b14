"""The heat map of a grid search.

Authors
 * The MLKD team 2026
"""

import pandas
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

CHARACTER = 0.07  # inches of a heading, more than any letter's mean


def draw_grid(
    grid: pandas.DataFrame,
    best: dict,
    keys: list[str],
    title: str,
    last_epoch: int,
) -> Figure:
    """Draw the validation UA of every cell, with a frame round the chosen one.

    Arguments
    ---------
    grid : pandas.DataFrame
        ``UA`` in [0, 1] and ``epochs`` of each pair of values.
    best : dict
        The row that was chosen.
    keys : list of str
        Columns of the two values: down, across.
    title : str
        Run that is searched, and what the UA is of.
    last_epoch : int
        Cells with fewer epochs are marked as stopped.

    Example
    -------
    >>> cell = {"temperature": 7, "alpha": 0.7, "UA": 0.5, "epochs": 8}
    >>> grid = pandas.DataFrame([cell, {**cell, "alpha": 0.9, "epochs": 2}])
    >>> figure = draw_grid(grid, cell, ["temperature", "alpha"], "fold 1", 8)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['50.0', '50.0\\n(2)']
    """
    down, across = (sorted(grid[key].unique()) for key in keys)
    heading = f"{title}\n(n): stopped after epoch n of {last_epoch}"
    widest = CHARACTER * max(map(len, heading.splitlines()))
    size = (max(1.8 + 0.75 * len(across), widest), 1.8 + 0.6 * len(down))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    percent = grid.pivot(index=keys[0], columns=keys[1], values="UA") * 100
    image = axes.imshow(percent, cmap="viridis", aspect="auto")
    middle = (percent.min().min() + percent.max().max()) / 2
    for row in grid.to_dict("records"):
        x, y = across.index(row[keys[1]]), down.index(row[keys[0]])
        text = f"{100 * row['UA']:.1f}"
        if row["epochs"] < last_epoch:
            text += f"\n({row['epochs']})"
        colour = "black" if 100 * row["UA"] > middle else "white"
        axes.text(x, y, text, ha="center", va="center", color=colour, size=9)
    corner = across.index(best[keys[1]]) - 0.5, down.index(best[keys[0]]) - 0.5
    frame = Rectangle(corner, 1, 1, fill=False, edgecolor="red", linewidth=2)
    axes.add_patch(frame)
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down])
    axes.set(xlabel=keys[1], ylabel=keys[0])
    figure.suptitle(heading, fontsize=9)
    figure.colorbar(image, ax=axes, label="UA [%]")
    return figure
