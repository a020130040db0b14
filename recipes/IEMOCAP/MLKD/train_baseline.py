#!/usr/bin/env python3
"""Train the paper's baseline of one fold: front end, functionals, SVM.

To run this recipe, do the following:
> python train_baseline.py hparams/vad_nmf.yaml --fold 3

and with noise in training, as the students have it:
> python train_baseline.py hparams/vad_nmf.yaml --fold 3 \
    --noisy_copies 3 --system vad_nmf_matched

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.run.start import start_script

if __name__ == "__main__":  # before torch is loaded, which takes seconds
    start_script(sys.argv, __doc__)

from mlkd_brain.baseline.system import fit_fold, noise_facts
from mlkd_brain.data.pipelines import dataio_prep
from mlkd_brain.errors import cli_errors
from mlkd_brain.files import leaving_nothing
from mlkd_brain.run.console import LOG_CONFIG, show_run
from mlkd_brain.run.experiment import (
    load_hparams,
    make_label_encoder,
    prepare_noises,
)
from mlkd_brain.run.ownership import owned
from mlkd_brain.run.protocol import (
    keep_settings,
    refuse_other_settings,
    write_protocol,
)

import speechbrain as sb


def main(argv):
    """Train in the folder of the run, alone."""
    hparams_file, hparams, run_opts, overrides = load_hparams(argv)
    with owned(hparams["output_folder"]):
        train(hparams_file, hparams, run_opts, overrides)


def train(hparams_file, hparams, run_opts, overrides):
    """Prepare the data, learn dictionaries and classifier, keep them."""
    with leaving_nothing(hparams["output_folder"], hparams["results_folder"]):
        refuse_other_settings(hparams_file, overrides, hparams["output_folder"])
        hparams["prepare_fold"]()
        noises = prepare_noises(
            hparams["noise_bank"],
            hparams["train_noise"],
            hparams["valid_noise"],
        )
    sb.create_experiment_directory(
        hparams["output_folder"], log_config=LOG_CONFIG
    )
    show_run(hparams)
    keep_settings(hparams_file, overrides, hparams)
    write_protocol(
        hparams,
        hparams["noise_grid"],
        run_opts["device"],
        corpus=hparams["corpus"],
        **noise_facts(
            hparams["model"], noises["train"], hparams["noisy_copies"]
        ),
    )
    label_encoder = make_label_encoder(
        hparams["emotions"], hparams["save_folder"]
    )
    fit_fold(
        hparams,
        dataio_prep(hparams, label_encoder, noises),
        noises,
        hparams["checkpointer"],
        hparams["train_logger"],
    )


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
