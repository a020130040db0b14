"""docs/what-it-survives.md: what the tests of tests/torture counted.

    python docs/survival.py

``make torture`` runs the tests first, which leave docs/survived/SUBJECT.json:
a list of ``{"kind", "tried", "happened": {outcome: number}}``. A subject is a
section of the page.

Authors
 * The MLKD team 2026
"""

import json
import pathlib

from mlkd_brain.files import write_text
from mlkd_brain.markdown import markdown_table

FOLDER = pathlib.Path(__file__).parent
PAGE = FOLDER / "what-it-survives.md"
COUNTS = FOLDER / "survived"

#: Known subjects to the title of its section and what the reader must know of it.
SUBJECTS = {
    "files": (
        "Files, names and machines",
        "Inputs are made when the tests run: every format and depth that "
        "libsndfile writes of those that are read, at three rates, with one and "
        "two channels; then cut, joined, overwritten, renamed.",
    ),
    "options": (
        "Options, manifests and noise folders",
        "Values of the wrong type, out of range or nearly right, for scripts and "
        "studies; cells, files and recordings that cannot be. What is refused "
        "leaves no file and no folder.",
    ),
    "interruptions": (
        "Interruptions",
        "Trainings of a teacher and a student, with their evaluations, end at "
        "random moments by a signal of the kernel, also amid a checkpoint, a cache "
        "or an evaluation, and are given again until they end. On a CPU weights "
        "are compared bit for bit with those of a run without an interruption, "
        "predictions.csv byte for byte, the log word for word but for its times.",
    ),
    "damage": (
        "Damaged files of a run",
        "Each file empty, half as long, all zeros or missing.",
    ),
    "disk": (
        "A full disk",
        "A file system of 1 MB that is really full; without the right to mount "
        "one the tests skip.",
    ),
    "soak": (
        "Many steps",
        "Resident memory after each epoch, by regression, and open files.",
    ),
}
PAGE_HEAD = """\
# What it survives

Written by `make torture`, which runs [tests/torture](../tests/torture) and
counts what was tried and what happened; nothing here is typed. "Refused in one
line" is exit status 2, or 1 where other files were used, and a message that
names file and remedy.
"""


def section(title, note, rows):
    """One subject: Markdown, with a row for each kind of input.

    Arguments
    ---------
    title, note : str
        Of the subject.
    rows : list of dict
        ``kind``, ``tried`` and ``happened``, outcome to number.

    Returns
    -------
    str

    Example
    -------
    >>> row = {"kind": "cut", "tried": 3, "happened": {"refused": 3}}
    >>> print(section("Files", "Made here.", [row]))
    ## Files
    <BLANKLINE>
    Made here. 3 inputs:
    <BLANKLINE>
    | input | tried | what happened |
    |---|---|---|
    | cut | 3 | refused |
    <BLANKLINE>
    """
    table = markdown_table(
        ["input", "tried", "what happened"],
        [[row["kind"], f"{row['tried']:,}", happened(row)] for row in rows],
    )
    total = sum(row["tried"] for row in rows)
    inputs = "input" if total == 1 else "inputs"
    intro = f"{note} {total:,} {inputs}:".strip()
    return f"## {title}\n\n{intro}\n\n{table.strip()}\n"


def happened(row):
    """Outcomes of a kind, the most frequent first; numbers if several."""
    outcomes = sorted(row["happened"].items(), key=lambda item: -item[1])
    if len(outcomes) == 1:
        return outcomes[0][0]
    return "; ".join(f"{number} {outcome}" for outcome, number in outcomes)


def page():
    """The whole page, of the subjects that were counted."""
    sections = []
    for path in sorted(COUNTS.glob("*.json"), key=_place):
        about = SUBJECTS.get(path.stem, (path.stem.capitalize(), ""))
        sections.append(section(*about, json.loads(path.read_text())))
    return "\n".join([PAGE_HEAD, *sections])


def _place(path):
    """Known subjects first, in their order."""
    known = [*SUBJECTS]
    found = path.stem in SUBJECTS
    return known.index(path.stem) if found else len(known), path.stem


if __name__ == "__main__":
    write_text(page(), PAGE)
