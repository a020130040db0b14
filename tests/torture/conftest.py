"""What the tests of this folder count, for docs/what-it-survives.md.

``make torture`` sets TORTURE_FOLDER; each subject then leaves one json there,
and ``docs/survival.py`` makes the page of them.

Authors
 * The MLKD team 2026
"""

import json
import os
import pathlib
from collections import Counter, defaultdict

import pytest


class Tally:
    """Inputs tried, by subject, kind of input and what happened."""

    def __init__(self):
        self.counts = defaultdict(Counter)

    def count(self, subject, kind, outcome, number=1):
        """Add to the inputs of a kind for which this happened.

        Arguments
        ---------
        subject : str
            Section of the page, e.g. "files".
        kind : str
            Row of its table.
        outcome : str
            What happened, as the page says it.
        number : int
            How many inputs.
        """
        self.counts[subject, kind][outcome] += number

    def write(self, folder):
        """One json a subject: a list of kinds with their outcomes."""
        subjects = defaultdict(list)
        for (subject, kind), outcomes in sorted(self.counts.items()):
            row = {"kind": kind, "tried": outcomes.total()}
            row["happened"] = dict(sorted(outcomes.items()))
            subjects[subject].append(row)
        for subject, rows in subjects.items():
            path = pathlib.Path(folder) / f"{subject}.json"
            path.write_text(json.dumps(rows, indent=2) + "\n")


@pytest.fixture(scope="session")
def tally():
    """Where a test counts what it tried."""
    made = Tally()
    yield made
    if "TORTURE_FOLDER" in os.environ:
        made.write(os.environ["TORTURE_FOLDER"])
