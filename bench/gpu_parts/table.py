"""The tables that are made from ``bench.gpu``'s JSON; docs/excerpts.py
writes them into the pages.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.files import write_text
from mlkd_brain.markdown import markdown_table

from bench.gpu_parts import hours
from bench.results import markdown


def write(result, path):
    """Write the tables of everything that was found.

    Arguments
    ---------
    result : dict
        What the JSON holds.
    path : pathlib.Path
        Markdown.
    """
    write_text(tables(result), path)


def tables(result):
    """Checks, measurements, and what became of each part.

    Example
    -------
    >>> part = {"state": "done", "seconds": 2.0, "rows": [], "notes": {}}
    >>> part["checks"] = [{"name": "logits", "passed": True, "detail": "1e-5"}]
    >>> print(tables({"machine": "a card", "parts": {"parity": part}}))
    ... # doctest: +NORMALIZE_WHITESPACE
    Measured on a card.
    <BLANKLINE>
    | check | passed | |
    |---|---|---|
    | logits | yes | 1e-5 |
    <BLANKLINE>
    | part | state | s |
    |---|---|---|
    | parity | done | 2.0 |
    """
    parts = result["parts"]
    rows = [row for part in parts.values() for row in part["rows"]]
    # of several, some parts were kept from an earlier run
    machines = dict.fromkeys(row["machine"] for row in rows)
    names = ", and ".join(machines or [result["machine"]])
    blocks = [f"Measured on {names}."]
    checks = [check for part in parts.values() for check in part["checks"]]
    if checks:
        blocks.append(_checks(checks))
    if rows:
        blocks.append(markdown(rows))
    blocks += [hours.table(parts), _states(parts)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _checks(checks):
    rows = [
        [c["name"], "yes" if c["passed"] else "NO", str(c["detail"])]
        for c in checks
    ]
    return markdown_table(["check", "passed", ""], rows)


def _states(parts):
    rows = [
        [
            name,
            ": ".join(
                filter(None, [part["state"], part["notes"].get("error")])
            ),
            f"{part['seconds']:.1f}",
        ]
        for name, part in parts.items()
    ]
    return markdown_table(["part", "state", "s"], rows)
