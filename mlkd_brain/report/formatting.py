"""Numbers and tables as text: Markdown, LaTeX.

Authors
 * The MLKD team 2026
"""

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mlkd_brain.markdown import escape, markdown_table
from mlkd_brain.names import CLEAN
from mlkd_brain.report.statistics import interval
from pandas import DataFrame, Series

MISSING = "–"  # of a cell without data
#: Signs that LaTeX has in mathematics alone, or reads as commands.
LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "−": "$-$",
        "±": r"$\pm$",
    }
)


class Table(NamedTuple):
    """A table that is written as Markdown and as LaTeX."""

    name: str  # of its file
    title: str
    frame: DataFrame  # text in cells; the first column names the row

    def markdown(self) -> str:
        """Title in bold, then the table."""
        return f"**{escape(self.title)}**\n\n{to_markdown(self.frame)}"

    def latex(self) -> str:
        """A table environment (package booktabs), special characters escaped.

        Example
        -------
        >>> frame = DataFrame({"UA %": ["my_student"], "0 dB": ["−1.0"]})
        >>> r"my\\_student & $-$1.0" in Table("t", "50 %", frame).latex()
        True
        """
        frame = self.frame.map(lambda text: text.translate(LATEX))
        return frame.rename(
            columns=lambda text: text.translate(LATEX)
        ).to_latex(
            index=False,
            escape=False,
            caption=self.title.translate(LATEX),
            label=f"tab:{self.name}",
            column_format="l" + "r" * (frame.shape[1] - 1),
        )


def to_markdown(frame: DataFrame) -> str:
    """A frame of text as a Markdown table."""
    return markdown_table(list(frame), frame.to_numpy().tolist())


def to_csv(frame: DataFrame) -> str:
    """A frame as CSV; a spreadsheet computes none of its texts.

    Example
    -------
    >>> to_csv(DataFrame({"noise": ["=1+1", "babble"], "ua": [-1.0, 2.0]}))
    "noise,ua\\n'=1+1,-1.0\\nbabble,2.0\\n"
    """
    quoted = frame.map(
        lambda cell: f"'{cell}"
        if isinstance(cell, str) and re.match(r"[-=+@\t\r]", cell)
        else cell
    )
    return quoted.to_csv(index=False)


def file_name(text: str) -> str:
    """A name from outside as a part of a file's name.

    Example
    -------
    >>> file_name("../factory 1")
    '.._factory_1'
    """
    return re.sub(r"[^\w.-]", "_", text)


def number(value: float) -> str:
    """One decimal."""
    return f"{value:.1f}"


def signed(value: float) -> str:
    """One decimal, with its sign; a true minus.

    Example
    -------
    >>> signed(1.25), signed(-3.0), signed(-0.04)
    ('+1.2', '−3.0', '+0.0')
    """
    # a sum with 0 has no minus before a zero
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def with_limits(value: float, low: float, high: float, form=number) -> str:
    """A value and its 95 % interval, if that is known.

    Example
    -------
    >>> with_limits(1.0, -0.5, 2.5, signed), with_limits(1.0, math.nan, 0)
    ('+1.0 [−0.5, +2.5]', '1.0')
    """
    if math.isnan(low):  # one fold
        return form(value)
    return f"{form(value)} [{form(low)}, {form(high)}]"


def mean_with_spread(runs: Series) -> str:
    """Mean over runs ± their standard deviation, if there are several.

    Example
    -------
    >>> mean_with_spread(Series([25.0, 75.0]))
    '50.0 ± 35.4'
    """
    mean = number(runs.mean())
    return f"{mean} ± {runs.std(ddof=1):.1f}" if len(runs) > 1 else mean


def mean_with_interval(runs: Series) -> str:
    """Mean over runs and its 95 % interval, e.g. ``82.1 [78.0, 85.9]``."""
    return with_limits(runs.mean(), *interval(runs))


def p_text(value: float) -> str:
    """A p-value with three decimals.

    Example
    -------
    >>> p_text(0.0004), p_text(0.25)
    ('< 0.001', '0.250')
    """
    if math.isnan(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def listed(items: Iterable[Any]) -> str:
    """Items with commas between them."""
    return ", ".join(map(str, items))


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers, sorted, neighbours as a range.

    Example
    -------
    >>> ranges([3, 1, 2, 5])
    '1–3, 5'
    """
    parts: list[list[int]] = []
    for value in sorted(numbers):
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return listed("–".join(map(str, sorted({p[0], p[-1]}))) for p in parts)


def column(condition: Any) -> str:
    """Heading of an SNR in dB or of clean speech, e.g. ``5 dB``."""
    return condition if condition == CLEAN else f"{condition:g} dB"
