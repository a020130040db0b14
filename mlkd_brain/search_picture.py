"""The heat map of a grid search.

Authors
 * The MLKD team 2026
"""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def draw_grid(grid, keys, title, last_epoch, path):
    """Draw the validation UA of every cell, the best one framed.

    Arguments
    ---------
    grid : pandas.DataFrame
        ``UA`` in [0, 1] and ``epochs`` of each pair of values.
    keys : list of str
        Columns of the two values: down, across.
    title : str
        Whose grid it is.
    last_epoch : int
        Cells with fewer epochs are marked as stopped.
    path : str or pathlib.Path
        Of the picture.
    """
    down, across = (sorted(grid[key].unique()) for key in keys)
    size = (1.8 + 0.75 * len(across), 1.8 + 0.6 * len(down))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    percent = grid.pivot(index=keys[0], columns=keys[1], values="UA") * 100
    image = axes.imshow(percent, cmap="viridis", aspect="auto")
    middle = (percent.min().min() + percent.max().max()) / 2
    for row in grid.to_dict("records"):
        place = across.index(row[keys[1]]), down.index(row[keys[0]])
        words = f"{100 * row['UA']:.1f}"
        if row["epochs"] < last_epoch:
            words += f"\n({row['epochs']})"
        colour = "black" if 100 * row["UA"] > middle else "white"
        axes.text(*place, words, ha="center", va="center", color=colour, size=9)
    best = grid.loc[grid["UA"].idxmax()]
    corner = across.index(best[keys[1]]) - 0.5, down.index(best[keys[0]]) - 0.5
    axes.add_patch(
        Rectangle(corner, 1, 1, fill=False, edgecolor="red", linewidth=2)
    )
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down])
    axes.set(xlabel=keys[1], ylabel=keys[0])
    axes.set_title(
        f"{title}: UA on the validation speaker, mean over noises and SNRs\n"
        f"(n): stopped after epoch n of {last_epoch}",
        fontsize=9,
    )
    figure.colorbar(image, ax=axes, label="UA [%]")
    figure.savefig(path, dpi=110)
