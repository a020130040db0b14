#!/usr/bin/env python3
"""Pretrain the small encoder on any folder of audio, without labels.

To run this recipe, do the following:
> python pretrain.py hparams/embedded.yaml --data_folder DIR

Authors
 * The MLKD team 2026
"""

import os
import sys

from mlkd_brain.run.start import start_script

if __name__ == "__main__":  # before torch is loaded, which takes seconds
    start_script(sys.argv, __doc__)

from mlkd_brain.errors import InputError, cli_errors
from mlkd_brain.method.embedded import save_pretrained_encoder
from mlkd_brain.pretraining.brain import PretrainingBrain
from mlkd_brain.run.console import LOG_CONFIG, show_run
from mlkd_brain.run.experiment import load_hparams
from mlkd_brain.run.ownership import owned
from mlkd_brain.run.protocol import keep_settings, refuse_other_settings
from speech_prepare import prepare_speech

import speechbrain as sb
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes


def dataio_prep(hparams):
    """Datasets of clean and distorted crops, for training and validation.

    Returns
    -------
    dict
        "train" and "valid" to ``DynamicItemDataset`` with the keys "id",
        "clean_sig", "sig" and "masked".
    """
    frames_of = hparams["encoder"].model._get_feat_extract_output_lengths
    datasets = {}
    for part in ("train", "valid"):
        distortion = hparams[f"{part}_distortion"]

        @takes("id", "wav")
        @provides("clean_sig", "sig", "masked")
        def crops(utterance, wav, distortion=distortion):
            clean, distorted = distortion(utterance, wav)
            yield clean
            yield distorted
            yield hparams["masked_spans"](
                distortion.key(utterance), int(frames_of(len(distorted)))
            )

        datasets[part] = DynamicItemDataset.from_csv(
            csv_path=f"{hparams['prepared_folder']}/{part}.csv",
            replacements={"data_root": hparams["prepared_folder"]},
            dynamic_items=[crops],
            output_keys=["id", "clean_sig", "sig", "masked"],
        )
    for part in datasets:
        wavs = [row["wav"] for row in datasets["train"].data.values()]
        hparams[f"{part}_distortion"].take_babble_from(wavs)
    return datasets


def main(argv):
    """Pretrain in the folder of the run, alone."""
    hparams_file, hparams, run_opts, overrides = load_hparams(argv)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise InputError(
            "Pretraining is one process; start it without torchrun."
        )
    with owned(hparams["output_folder"]):
        train(hparams_file, hparams, run_opts, overrides)


def train(hparams_file, hparams, run_opts, overrides):
    """Prepare the audio, pretrain, and save the encoder."""
    output_folder = hparams["output_folder"]
    refuse_other_settings(hparams_file, overrides, output_folder)
    folders = ("data_folder", "prepared_folder", "output_folder")
    keys = (*folders, "valid_share", "skip_prep")
    prepare_speech(**{key: hparams[key] for key in keys})
    sb.create_experiment_directory(output_folder, log_config=LOG_CONFIG)
    show_run(hparams)
    keep_settings(hparams_file, overrides, hparams)
    datasets = dataio_prep(hparams)
    brain = PretrainingBrain(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
        train_logger=hparams["train_logger"],
    )
    brain.fit_speech(datasets)
    save_pretrained_encoder(hparams["encoder"], f"{output_folder}/encoder")
    print(f"wrote {output_folder}/encoder")


if __name__ == "__main__":
    with cli_errors():
        main(sys.argv[1:])
