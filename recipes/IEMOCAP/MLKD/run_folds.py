#!/usr/bin/env python3
"""Train and evaluate systems x folds x seeds, as many at once as there is room.

To run this recipe, do the following:
> python run_folds.py hparams/study.yml

Given again, it goes on where it was interrupted and skips what is finished.

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.errors import cli_errors
from mlkd_brain.study.command import run_study


def main(argv):
    """Run what study.yml and the options ask for, then the report."""
    run_study(argv)


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
