#!/usr/bin/env python3
"""Score a trained system of one fold over clean speech and noise x SNR.

To run this recipe, do the following:
> python evaluate.py hparams/student.yaml --fold 3

Another folder of noises, none of them heard in training:
> python evaluate.py hparams/student.yaml --fold 3 --noise_folder DIR

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.errors import one_line
from mlkd_brain.evaluation import HEARD, evaluate_run
from mlkd_brain.experiment import load_hparams
from mlkd_brain.protocol import refuse_other_settings
from mlkd_brain.report import run_report


def main(argv):
    """Write predictions.csv and noise_grid.csv, print the paper's tables."""
    hparams_file, hparams, run_opts, overrides = load_hparams(argv)
    refuse_other_settings(
        hparams_file, overrides, hparams["output_folder"], heard=HEARD
    )
    folder = evaluate_run(hparams, device=run_opts["device"])
    print(run_report(folder))


if __name__ == "__main__":
    with one_line():
        main(sys.argv[1:])
