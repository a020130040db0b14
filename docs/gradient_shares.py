"""Which term of the objective pulls how much: docs/gradient_shares.png.

    python -m docs.gradient_shares

From the train_log.txt in the archives of the committed reports: means over the
runs of a system. The table on docs/gradients.md is one of docs/excerpts.py.

Authors
 * The MLKD team 2026
"""

import pathlib

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mlkd_brain.report.style import heading, panel_grid, save_png
from pandas import DataFrame

from docs.excerpts import SHARES, TERMS, shares

PICTURE = pathlib.Path(__file__).with_name("gradient_shares.png")
#: Of the terms: not the colours of systems, which other pictures have.
COLOURS = ("#4477aa", "#ccbb44", "#bb6677")


def draw(tables: dict[str, DataFrame]) -> Figure:
    """A panel for each title: the shares, one upon the other, over epochs."""
    figure, axes, panels = panel_grid(len(tables), 2.0, sharey=True)
    for panel, (title, table) in zip(panels, tables.items()):
        heading(panel, title)
        areas = panel.stackplot(
            table.index,
            table.T.to_numpy(),
            colors=COLOURS,
            labels=TERMS.values(),
        )
        panel.set_xlim(table.index[0], table.index[-1])
        panel.set_ylim(0, 1)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("epoch", fontsize=8)
    for row in axes:
        row[0].set_ylabel("share of the gradient", fontsize=8)
    figure.legend(
        handles=areas,
        loc="outside lower center",
        ncols=len(TERMS),
        frameon=False,
        fontsize=9,
    )
    return figure


def main():
    """Draw them all."""
    tables = {title: shares(title)[list(TERMS)] for title in SHARES}
    save_png(draw(tables), PICTURE)


if __name__ == "__main__":
    main()
