"""docs/numbers/coverage.csv: how much of mlkd_brain the tests run.

    make coverage

Authors
 * The MLKD team 2026
"""

import json
import pathlib
import sys

from mlkd_brain.files import write_csv
from mlkd_brain.markdown import markdown_table
from pandas import DataFrame

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
KEPT = REPOSITORY / "docs" / "numbers" / "coverage.csv"
#: Columns to what coverage's JSON calls them.
COUNTS = {
    "lines": "num_statements",
    "lines_run": "covered_lines",
    "branches": "num_branches",
    "branches_run": "covered_branches",
}


def counts(report: dict) -> DataFrame:
    """Lines and branches of each file, and how many of them were run.

    Arguments
    ---------
    report : dict
        What ``coverage json`` writes.

    Example
    -------
    >>> summary = {"num_statements": 4, "covered_lines": 3}
    >>> summary |= {"num_branches": 2, "covered_branches": 1}
    >>> counts({"files": {"mlkd_brain/a.py": {"summary": summary}}}).values
    array([['mlkd_brain/a.py', 4, 3, 2, 1]], dtype=object)
    """
    return DataFrame(
        {
            "file": path,
            **{name: part["summary"][key] for name, key in COUNTS.items()},
        }
        for path, part in sorted(report["files"].items())
    )


def table(files: DataFrame) -> str:
    """Markdown: a row for each package, and one for all of them.

    Example
    -------
    >>> rows = [
    ...     ("mlkd_brain/a.py", 4, 3, 0, 0),
    ...     ("mlkd_brain/x/b.py", 6, 6, 4, 2),
    ... ]
    >>> print(table(DataFrame(rows, columns=["file", *COUNTS])))
    | package | lines | run, % | branches | taken, % |
    |---|---|---|---|---|
    | mlkd_brain | 4 | 75.0 | 0 | – |
    | mlkd_brain/x | 6 | 100.0 | 4 | 50.0 |
    | all | 10 | 90.0 | 4 | 50.0 |
    """
    folders = files["file"].str.split("/").str[:-1].str[:2].str.join("/")
    sums = files.groupby(folders)[list(COUNTS)].sum()
    sums.loc["all"] = files[list(COUNTS)].sum()
    rows = [
        [
            str(name),
            str(row.lines),
            _percent(row.lines_run, row.lines),
            str(row.branches),
            _percent(row.branches_run, row.branches),
        ]
        for name, row in zip(sums.index, sums.itertuples())
    ]
    head = ["package", "lines", "run, %", "branches", "taken, %"]
    return markdown_table(head, rows)


def _percent(part, whole):
    return f"{100 * part / whole:.1f}" if whole else "–"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:
        write_csv(counts(json.load(stream)), KEPT)
