#!/usr/bin/env python3
"""Search two values of the objective, each fold on its own.

To run this recipe, do the following:
> python search_objective.py hparams/study.yml --folds 3
> python run_folds.py hparams/study.yml --folds 3 --systems student_searched

The validation speaker decides; no cell of the grid is scored on the test speaker.
Given again, it goes on where it was interrupted.

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.errors import cli_errors
from mlkd_brain.study.command import run_search


def main(argv):
    """Train the grid, validate it over noise x SNR, choose."""
    run_search(argv)


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
