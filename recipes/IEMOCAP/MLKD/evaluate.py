#!/usr/bin/env python3
"""Score a trained system of one fold over clean speech and noise x SNR.

A run's folder has its settings; the test's can be given, such as a folder of
noises that training did not use:
> python evaluate.py results/student/1986/fold_3
> python evaluate.py results/student/1986/fold_3 --noise_folder DIR

The same with the options of the training:
> python evaluate.py hparams/student.yaml --fold 3

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.run.run_words import TEST_OPTIONS, words_of_run
from mlkd_brain.run.start import start_script

if __name__ == "__main__":  # before torch is loaded, which takes seconds
    start_script(sys.argv, __doc__, words_of_run)

from mlkd_brain.errors import cli_errors
from mlkd_brain.evaluation.evaluate import evaluate_run
from mlkd_brain.report import run_report
from mlkd_brain.run.experiment import load_hparams
from mlkd_brain.run.ownership import owned
from mlkd_brain.run.protocol import refuse_other_settings


def main(argv):
    """Write predictions.csv and noise_grid.csv, print the paper's tables."""
    hparams_file, hparams, run_opts, overrides = load_hparams(
        words_of_run(argv)
    )
    refuse_other_settings(
        hparams_file,
        overrides,
        hparams["output_folder"],
        also_changeable=TEST_OPTIONS,
    )
    with owned(hparams["output_folder"]):
        folder = evaluate_run(hparams, device=run_opts["device"])
    print(run_report(folder))


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
