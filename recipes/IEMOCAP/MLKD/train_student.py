#!/usr/bin/env python3
"""Train the student of one fold on noisy speech, with or without its teacher.

To run this recipe, do the following:
> python train_teacher.py hparams/teacher.yaml --fold 3
> python train_student.py hparams/student.yaml --fold 3

and for the paper's ablation without a teacher:
> python train_student.py hparams/student_unsupervised.yaml --fold 3

Authors
 * The MLKD team 2026
"""

import sys

from mlkd_brain.run.start import start_script

if __name__ == "__main__":  # before torch is loaded, which takes seconds
    start_script(sys.argv, __doc__)

from mlkd_brain.data.pipelines import dataio_prep
from mlkd_brain.errors import cli_errors
from mlkd_brain.files import leaving_nothing
from mlkd_brain.inference.loading import keep_encoder_settings
from mlkd_brain.method.teachers import start_student
from mlkd_brain.run.console import LOG_CONFIG, show_run
from mlkd_brain.run.experiment import (
    load_hparams,
    make_label_encoder,
    prepare_noises,
    prepare_unlabelled,
)
from mlkd_brain.run.ownership import owned
from mlkd_brain.run.protocol import (
    keep_settings,
    refuse_other_settings,
    write_protocol,
)

import speechbrain as sb
from speechbrain.utils.distributed import ddp_init_group, run_on_main


def main(argv):
    """Train in the folder of the run, alone."""
    hparams_file, hparams, run_opts, overrides = load_hparams(argv)
    ddp_init_group(run_opts)
    with owned(hparams["output_folder"]):
        train(hparams_file, hparams, run_opts, overrides)


def train(hparams_file, hparams, run_opts, overrides):
    """Prepare the data and the teacher, distil, keep the best epoch."""
    with leaving_nothing(hparams["output_folder"], hparams["results_folder"]):
        refuse_other_settings(hparams_file, overrides, hparams["output_folder"])
        hparams["prepare_fold"]()
        noises = prepare_noises(
            hparams["noise_bank"],
            hparams["train_noise"],
            hparams["valid_noise"],
        )
        prepare_unlabelled(hparams.get("unlabelled"), hparams)
        teacher = start_student(
            hparams,
            hparams["teacher"],
            hparams["teacher_folder"],
            hparams["initialisation"],
        )
    sb.create_experiment_directory(
        hparams["output_folder"], log_config=LOG_CONFIG
    )
    show_run(hparams)
    run_on_main(keep_settings, args=[hparams_file, overrides, hparams])
    run_on_main(
        write_protocol,
        args=[hparams, hparams["noise_grid"], run_opts["device"]],
        kwargs={
            "corpus": hparams["corpus"],
            "teacher": teacher,
            "noise_heard": noises["train"].recordings(),
        },
    )
    label_encoder = make_label_encoder(
        hparams["emotions"], hparams["save_folder"]
    )
    run_on_main(
        keep_encoder_settings, args=[hparams["encoder"], hparams["save_folder"]]
    )
    datasets = dataio_prep(hparams, label_encoder, noises)
    brain = hparams["brain_class"](
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
        train_logger=hparams["train_logger"],
        learning_rate=hparams["learning_rate"],
    )
    brain.fit_fold(
        datasets,
        bucket_jitter=hparams["bucket_jitter"],
        class_weights=hparams["class_weights"],
        balanced_sampling=hparams["balanced_sampling"],
        train_loader_kwargs=hparams["train_dataloader_opts"],
        valid_loader_kwargs=hparams["valid_dataloader_opts"],
    )


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
