"""What `make bench` measured: bench/results.json and the table made from it.

Authors
 * The MLKD team 2026
"""

import json
import pathlib

from mlkd_brain.evaluation.complexity import machine
from mlkd_brain.files import write_json
from mlkd_brain.markdown import markdown_table

RESULTS = pathlib.Path(__file__).with_name("results.json")


def row(name, unit, value, reference=None, reference_value=None):
    """One measurement, beside what it is compared with.

    Arguments
    ---------
    name : str
        What was measured.
    unit : str
        Of the value.
    value : float
        As measured.
    reference : str, optional
        What it is compared with.
    reference_value : float, optional
        The reference's value in the same run.

    Returns
    -------
    dict
        ``name, unit, value, ratio, reference, machine``; the ratio is value to
        reference.
    """
    ratio = None if reference_value is None else value / reference_value
    return {
        "name": name,
        "unit": unit,
        "value": value,
        "ratio": ratio,
        "reference": reference,
        "machine": machine(),
    }


def add(rows):
    """Put rows into bench/results.json in place of those of the same name."""
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    names = {row["name"] for row in rows}
    kept = [row for row in known if row["name"] not in names]
    write_json(kept + rows, RESULTS)


def markdown(rows):
    """Table of some rows.

    Example
    -------
    >>> print(markdown([row("ours", "ms", 1.0, "theirs", 4.0)]).splitlines()[2])
    | ours | 1 ms | 0.25 x theirs |
    """
    return markdown_table(
        ["measured", "value", "ratio"],
        [
            [
                row["name"],
                f"{row['value']:.3g} {row['unit']}",
                ""
                if row["ratio"] is None
                else f"{row['ratio']:.2f} x {row['reference']}",
            ]
            for row in rows
        ],
    )


def page(rows):
    """The table of everything measured, for docs/speed.md."""
    machines = ", ".join(sorted({row["machine"] for row in rows}))
    return f"{markdown(rows)}\n\nMeasured on {machines}."
