"""What every script of a recipe begins with: options and data.

Authors
 * The MLKD team 2026
"""

import inspect
import logging
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from hyperpyyaml import load_hyperpyyaml
from mlkd_brain.data.folds import write_fold
from mlkd_brain.data.manifests import INDEX
from mlkd_brain.data.pipelines import read_rows
from mlkd_brain.disk import replaced_file
from mlkd_brain.names import LABELS
from mlkd_brain.optional import refuse_missing_device
from mlkd_brain.run.command_line import read_command_line, speechbrain_options
from mlkd_brain.run.plain_yaml import top_level_keys

from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.distributed import (
    if_main_process,
    infer_device,
    run_on_main,
)

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
        SpeechBrain's own options; the device is the accelerator if there is one
        and the yaml has modules to train, else the CPU.
    overrides : str
        Options that replace keys of the yaml, as yaml.
    """
    line = read_command_line(argv)
    own = speechbrain_options().RunOptions
    with open(line.hparams_file, encoding="utf-8") as yaml:
        text = yaml.read()
    # a Brain takes this device by itself; what it has trained is scored there
    learns = "modules" in top_level_keys(text)
    device = ["--device", infer_device() if learns else "cpu"]
    _, run_opts, _ = own.from_command_line_args(
        [line.hparams_file, *device, *line.speechbrain]
    )
    refuse_missing_device(run_opts["device"])
    # for the preparer that the yaml names, as a linked script lies elsewhere
    recipe = str(pathlib.Path(line.hparams_file).absolute().parents[1])
    if recipe not in sys.path:
        sys.path.insert(0, recipe)
    hparams = load_hyperpyyaml(text, line.overrides)
    return line.hparams_file, hparams, run_opts, line.overrides


def prepare_fold(
    prepare: Callable[..., None],
    manifest_folder: str | pathlib.Path,
    corpus: dict[str, Any],
    **fold,
) -> None:
    """Prepare the corpus and write the fold's three manifests.

    Arguments
    ---------
    prepare : callable
        The recipe's ``prepare_<corpus>``.
    manifest_folder : str or pathlib.Path
        Where it writes a manifest for each speaker.
    corpus : dict
        Values for its other arguments; those that it has not are left out.
    **fold
        Other arguments of ``mlkd_brain.data.folds.write_fold``.

    Raises
    ------
    InputError
        If the corpus or the fold cannot be used.
    """
    given = {**corpus, "manifest_folder": manifest_folder}
    run_on_main(prepare_corpus, args=[prepare, given])
    run_on_main(write_fold, kwargs={"manifest_folder": manifest_folder, **fold})


def prepare_corpus(
    prepare: Callable[..., None], values: dict[str, Any]
) -> None:
    """Call a preparer with those of some values that it takes.

    Arguments
    ---------
    prepare : callable
        ``prepare_<corpus>`` of a recipe.
    values : dict
        By name of the argument, such as the hparams of a run.

    Raises
    ------
    InputError
        If the corpus cannot be used.
    """
    keys = inspect.signature(prepare).parameters
    prepare(**{key: values[key] for key in keys if key in values})


def prepare_noises(bank: Any, train: Any, valid: Any) -> dict[str, Any]:
    """Prepare the noise recordings and what samples from them.

    Arguments
    ---------
    bank : mlkd_brain.noise.bank.NoiseBank
        Of the recordings.
    train, valid : mlkd_brain.noise.sampling.NoiseSampler
        Of the two parts that have noise.

    Raises
    ------
    InputError
        If the noise cannot be used.

    Returns
    -------
    dict
        The two by part, "train" and "valid".
    """
    bank.prepare()
    noises = {"train": train, "valid": valid}
    for noise in noises.values():
        noise.resolve()
    return noises


def prepare_unlabelled(speech: Any, hparams: dict[str, Any]) -> None:
    """Measure speech without labels, and refuse what the fold holds out.

    Arguments
    ---------
    speech : mlkd_brain.data.unlabelled.UnlabelledSpeech or None
        None for a system that cannot learn from it.
    hparams : dict
        ``output_folder`` with valid.csv and test.csv, ``data_folder``,
        ``manifest_folder``.

    Raises
    ------
    InputError
        As of ``UnlabelledSpeech``.
    """
    if speech is None or speech.folder is None:
        return
    run_on_main(speech.prepare)
    held_out = [
        row["wav"]
        for part in ("valid", "test")
        for row in read_rows(
            f"{hparams['output_folder']}/{part}.csv", hparams["data_folder"]
        ).values()
    ]
    index = pathlib.Path(hparams["manifest_folder"]) / INDEX
    run_on_main(
        speech.refuse_held_out, args=[held_out, hparams["data_folder"], index]
    )


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
