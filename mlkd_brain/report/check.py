"""The command ``mlkd check``: does anything leak from test to training?

    mlkd check results

Authors
 * The MLKD team 2026
"""

import argparse
import sys

from mlkd_brain.report.command import add_runs
from mlkd_brain.report.leakage import find_problems
from mlkd_brain.report.results import unpacked


def main(argv):
    """Print each problem.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Returns
    -------
    int
        Exit status: 1 if there are problems.
    """
    parser = argparse.ArgumentParser(
        prog="mlkd check",
        description="Look for leaks between training and test, and for missing "
        "or doubled predictions; exit status 1 if there are any.",
    )
    add_runs(parser)
    options = parser.parse_args(argv)
    with unpacked(options.results) as folder:
        problems = find_problems(
            folder, evaluation=options.evaluation, folds=options.folds
        )
    for problem in problems:
        print(f"{problem.kind}: {problem.text}", file=sys.stderr)
    if not problems:
        print(
            "No test speaker and no second of test noise was heard in training, "
            "no prediction is missing or doubled."
        )
    return 1 if problems else 0
