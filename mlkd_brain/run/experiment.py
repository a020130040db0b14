"""What every script of a recipe begins with: options and data.

Authors
 * The MLKD team 2026
"""

import inspect
import logging
import pathlib
import sys
from typing import Any

from hyperpyyaml import load_hyperpyyaml
from mlkd_brain.data.folds import write_fold
from mlkd_brain.disk import replaced_file
from mlkd_brain.names import LABELS
from mlkd_brain.optional import refuse_missing_device
from mlkd_brain.run.command_line import read_command_line, speechbrain_options

from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.distributed import if_main_process, run_on_main

# importing SpeechBrain's train loggers warns of torchvision, for figures alone
logging.getLogger("speechbrain.utils.train_logger").addFilter(
    lambda record: "torchvision" not in record.getMessage()
)


def load_hparams(argv: list[str]) -> tuple[str, dict, dict, str]:
    """Read a script's command line and its yaml.

    Arguments
    ---------
    argv : list of str
        ``hparams/x.yaml`` and ``--key value`` for SpeechBrain or the yaml.

    Raises
    ------
    InputError
        If the file is missing, or an option is unknown or out of range, or the
        device is not there; nothing is created then.

    Returns
    -------
    hparams_file : str
        The yaml's path.
    hparams : dict
        Everything the yaml declares.
    run_opts : dict
        SpeechBrain's own options.
    overrides : str
        Options that replace keys of the yaml, as yaml.
    """
    line = read_command_line(argv)
    own = speechbrain_options().RunOptions
    _, run_opts, _ = own.from_command_line_args(
        [line.hparams_file, *line.speechbrain]
    )
    refuse_missing_device(run_opts["device"])
    # for the preparer that the yaml names, as a linked script lies elsewhere
    recipe = str(pathlib.Path(line.hparams_file).absolute().parents[1])
    if recipe not in sys.path:
        sys.path.insert(0, recipe)
    with open(line.hparams_file, encoding="utf-8") as yaml:
        hparams = load_hyperpyyaml(yaml, line.overrides)
    return line.hparams_file, hparams, run_opts, line.overrides


def prepare_fold(hparams: dict[str, Any]) -> None:
    """Prepare the corpus and write the fold's three manifests.

    Arguments
    ---------
    hparams : dict
        Of the run; ``prepare`` is the recipe's ``prepare_<corpus>``.

    Raises
    ------
    InputError
        If the corpus or the fold cannot be used.
    """
    run_on_main(prepare_corpus, args=[hparams])
    fold = (
        "manifest_folder",
        "fold",
        "fold_groups",
        "validates_on",
        "emotions",
    )
    run_on_main(
        write_fold,
        kwargs={key: hparams[key] for key in (*fold, "output_folder")},
    )


def prepare_corpus(hparams: dict[str, Any]) -> None:
    """Call the preparer that the yaml names; its arguments are keys there.

    Arguments
    ---------
    hparams : dict
        Of a run.

    Raises
    ------
    InputError
        If the corpus cannot be used.
    """
    prepare = hparams["prepare"]
    keys = inspect.signature(prepare).parameters
    prepare(**{key: hparams[key] for key in keys})


def prepare_noises(hparams: dict[str, Any]) -> dict[str, Any]:
    """Prepare the noise recordings and what samples from them.

    Arguments
    ---------
    hparams : dict
        Of a run that learns from noisy speech.

    Raises
    ------
    InputError
        If the noise cannot be used.

    Returns
    -------
    dict
        The ``NoiseSampler`` of each part, "train" and "valid".
    """
    hparams["noise_bank"].prepare()
    noises = {"train": hparams["train_noise"], "valid": hparams["valid_noise"]}
    for noise in noises.values():
        noise.resolve()
    return noises


def make_label_encoder(
    emotions: list[str], save_folder: str | pathlib.Path
) -> CategoricalEncoder:
    """Class names and indices, saved beside the checkpoints.

    Arguments
    ---------
    emotions : list of str
        In the order of the logits.
    save_folder : str or pathlib.Path
        Where label_encoder.txt goes.
    """
    path = pathlib.Path(save_folder) / LABELS
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(emotions)
    encoder.expect_len(len(emotions))
    if if_main_process():
        with replaced_file(path) as unfinished:
            encoder.save(unfinished)
    return encoder
