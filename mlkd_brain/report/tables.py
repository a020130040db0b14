"""Tables of accuracy: systems, noises, speakers, conditions.

Authors
 * The MLKD team 2026
"""

import re
from typing import NamedTuple

import pandas

from mlkd_brain.markdown import markdown_table
from mlkd_brain.names import CLEAN
from mlkd_brain.report import paper
from mlkd_brain.report.cells import NOTHING, number, signed
from mlkd_brain.report.statistics import (
    accuracies_of_runs,
    accuracy,
    interval,
)
from mlkd_brain.report.titles import in_order, unseen_noises, with_runs


class Table(NamedTuple):
    """A table that is written in several languages.

    Arguments
    ---------
    name : str
        Of its file.
    title : str
        What it rests on.
    frame : pandas.DataFrame
        Text in cells; the first column names the row.
    """

    name: str
    title: str
    frame: pandas.DataFrame

    def markdown(self):
        """Title in bold, then the table."""
        rows = self.frame.to_numpy().tolist()
        return f"**{self.title}**\n\n{markdown_table(list(self.frame), rows)}"

    def latex(self):
        """A table environment (package booktabs), special characters escaped.

        Example
        -------
        >>> frame = pandas.DataFrame({"UA %": ["my_student"], "0 dB": ["−1.0"]})
        >>> r"my\\_student & $-$1.0" in Table("t", "50 %", frame).latex()
        True
        """
        text = self.frame.to_latex(
            index=False,
            escape=True,
            caption=re.sub(r"([&%$#_{}])", r"\\\1", self.title),
            label=f"tab:{self.name}",
            column_format="l" + "r" * (self.frame.shape[1] - 1),
        )
        # signs that LaTeX knows in mathematics only
        return text.replace("−", "$-$").replace("±", r"$\pm$")


def conditions(predictions, noises):
    """Columns of Table 1: each SNR under some noises, then clean speech.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    dict
        SNR in dB, or "clean", to the predictions there.
    """
    noisy = predictions[predictions["noise"].isin(noises)]
    heard = dict(iter(noisy.groupby("snr_db")))
    clean = predictions[predictions["noise"] == CLEAN]
    return {**heard, **({} if clean.empty else {CLEAN: clean})}


def column(condition):
    """Heading of a condition, e.g. ``5 dB``."""
    return condition if condition == CLEAN else f"{condition:g} dB"


def of(system, predictions):
    """The predictions of one system."""
    return predictions[predictions["system"] == system]


def systems_frame(predictions, noises, cell, name="UA"):
    """Table 1 of the paper: systems x SNR and clean, over some noises.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.
    cell : callable
        Predictions and ``name`` to text, see ``mlkd_brain.report.cells``.
    name : str
        "UA" or "WA".

    Returns
    -------
    pandas.DataFrame
        Text; percent.
    """
    heard = conditions(predictions, noises)
    return pandas.DataFrame(
        {
            f"{name} %": with_runs(system, predictions),
            **{
                column(key): cell(of(system, own), name)
                for key, own in heard.items()
            },
        }
        for system in in_order(predictions["system"].unique())
    )


def frame_beside_paper(predictions, noises, cell):
    """Table 1 with the paper's numbers, and the differences, below each system.

    Arguments are those of ``systems_frame``.

    Returns
    -------
    pandas.DataFrame
        Text; percent, differences in points.
    """
    frame = systems_frame(predictions, noises, cell)
    heard = conditions(predictions, noises)
    rows = []
    systems = in_order(predictions["system"].unique())
    for system, (_, row) in zip(systems, frame.iterrows()):
        rows.append(row.tolist())
        if system in paper.FACTORY:
            rows += _paper_rows(paper.FACTORY[system], system, heard)
    return pandas.DataFrame(rows, columns=frame.columns)


def _paper_rows(known, system, heard):
    told, differences = ["paper"], ["difference"]
    for key, predictions in heard.items():
        own = of(system, predictions)
        told.append(number(known[key]) if key in known else NOTHING)
        comparable = key in known and len(own)
        differences.append(
            signed(accuracy(own) - known[key]) if comparable else NOTHING
        )
    return [told, differences]


def noises_frame(predictions, unseen=()):
    """Table 2 of the paper: noises x SNR for one system, with a true mean.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system.
    unseen : collection of str
        Noise types to mark as not heard in training.

    Returns
    -------
    pandas.DataFrame
        Text; UA in percent, pooled over folds. The last row and the last
        column are means of the cells.
    """
    cells = cell_means(predictions)
    cells.loc["mean"] = cells.mean()
    cells["mean"] = cells.mean(axis=1)
    marks = [f"{n} (unseen)" if n in unseen else n for n in cells.index]
    frame = cells.map(number).rename(columns=lambda key: _heading(key))
    frame.insert(0, "UA %", marks)
    return frame.reset_index(drop=True)


def _heading(key):
    return key if key == "mean" else column(key)


def cell_means(predictions):
    """UA of one system under each noise (row) and SNR (column), percent."""
    noisy = predictions[predictions["noise"] != CLEAN]
    groups = noisy.groupby(["noise", "snr_db"], sort=False)
    values = pandas.Series({key: accuracy(own) for key, own in groups})
    order = noisy["noise"].unique()
    return values.unstack().reindex(order).sort_index(axis="columns")


def table_2_frame(predictions, protocols):
    """Table 2 of every system, one below the other."""
    parts = []
    for system in in_order(predictions["system"].unique()):
        own = of(system, predictions)
        if (own["noise"] == CLEAN).all():
            continue
        unseen = unseen_noises(system, own["noise"].unique(), protocols)
        frame = noises_frame(own, unseen).rename(columns={"UA %": "noise"})
        frame.insert(0, "UA %", with_runs(system, predictions))
        parts.append(frame)
    return pandas.concat(parts).fillna(NOTHING)


def means_frame(predictions):
    """Mean UA over all noises and SNRs, beside the paper's."""
    rows = []
    for system in in_order(predictions["system"].unique()):
        mean = cell_means(of(system, predictions)).mean(axis=None)
        known = paper.MEAN.get(system)
        rows.append(
            {
                "UA %": with_runs(system, predictions),
                "mean": number(mean),
                "paper": NOTHING if known is None else number(known),
                "difference": NOTHING
                if known is None
                else signed(mean - known),
            }
        )
    return pandas.DataFrame(rows)


def all_cells(predictions):
    """Every system in every condition, with all that is known of its error.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.

    Returns
    -------
    pandas.DataFrame
        ``system, noise, snr_db, utterances, runs, ua, ua_low, ua_high,
        ua_mean_of_runs, ua_sd_of_runs, wa``; accuracies in percent.
    """
    rows = []
    order = ["system", "noise", "snr_db"]
    for place, own in predictions.groupby(order, dropna=False, sort=False):
        runs = accuracies_of_runs(own)
        low, high = interval(own)
        rows.append(
            {
                **dict(zip(order, place)),
                "utterances": own["ID"].nunique(),
                "runs": len(runs),
                "ua": accuracy(own),
                "ua_low": low,
                "ua_high": high,
                "ua_mean_of_runs": runs.mean(),
                "ua_sd_of_runs": runs.std(),
                "wa": accuracy(own, "WA"),
            }
        )
    return pandas.DataFrame(rows).round(2)
