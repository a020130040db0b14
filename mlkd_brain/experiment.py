"""What every script of a recipe begins with: options, data, protocol.

Authors
 * The MLKD team 2026
"""

import json
import os
import pathlib
import platform
import re

import speechbrain as sb
import torch
import transformers
from hyperpyyaml import load_hyperpyyaml, resolve_references
from ruamel.yaml import YAML
from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.distributed import run_on_main

from mlkd_brain.errors import InputError
from mlkd_brain.folds import write_fold
from mlkd_brain.manifests import read_manifest

PROTOCOL = "protocol.json"


def load_hparams(argv):
    """Read a script's command line and its yaml.

    Arguments
    ---------
    argv : list of str
        ``hparams/x.yaml`` and ``--key value`` for SpeechBrain or the yaml.

    Raises
    ------
    InputError
        If the file is missing or an option is unknown.

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
    # oneDNN keeps compiled code for each of the last 1024 shapes of a batch, and
    # every batch has another length: gigabytes on a CPU, and no faster
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8")
    hparams_file, run_opts, overrides = sb.parse_arguments(argv)
    try:
        with open(hparams_file, encoding="utf-8") as yaml:
            hparams = load_hyperpyyaml(yaml, overrides)
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename}: no such file. Run from the recipe's folder, e.g. "
            "python train_teacher.py hparams/teacher.yaml"
        ) from None
    except KeyError as error:
        unknown = re.search(r"Override '(\w+)' not found", str(error))
        if unknown is None:
            raise
        raise InputError(
            f"{hparams_file} has no key '{unknown[1]}'; the keys at its top "
            "level can be given as --key value."
        ) from None
    return hparams_file, hparams, run_opts, overrides


def prepare_fold(hparams, prepare):
    """Have the corpus prepared and the fold's three manifests written.

    Arguments
    ---------
    hparams : dict
        Of the run.
    prepare : callable
        The recipe's ``prepare_<corpus>``.

    Raises
    ------
    InputError
        If the corpus or the fold cannot be used.
    """
    corpus = ("data_folder", "manifest_folder", "allow_partial", "skip_prep")
    run_on_main(prepare, kwargs={key: hparams[key] for key in corpus})
    fold = ("manifest_folder", "fold", "validates_on", "emotions")
    run_on_main(
        write_fold,
        kwargs={key: hparams[key] for key in (*fold, "output_folder")},
    )


#: Keys that may change between the parts of one run.
CHANGEABLE = {"number_of_epochs", "num_workers", "skip_prep", "save_mixtures"}


def refuse_other_settings(hparams_file, overrides, output_folder):
    """Refuse to go on in the folder of a run that was started otherwise.

    Folders may move and epochs may be added; anything else would be silently
    ignored, or mixed with what was learned before.

    Arguments
    ---------
    hparams_file : str
        The yaml.
    overrides : str
        Options that replace its keys.
    output_folder : str or pathlib.Path
        Of the run.

    Raises
    ------
    InputError
        If the run there has another value for a key.
    """
    before = pathlib.Path(output_folder) / "hyperparams.yaml"
    if not before.is_file():
        return
    with open(hparams_file, encoding="utf-8") as yaml:
        now = _plain_values(resolve_references(yaml, overrides))
    then = _plain_values(before.read_text(encoding="utf-8"))
    for key in sorted(then.keys() & now.keys() - CHANGEABLE):
        if then[key] != now[key] and not key.endswith("_folder"):
            raise InputError(
                f"{output_folder} was trained with {key} {then[key]}, not "
                f"{now[key]}. Give this run a name of its own with --system, or "
                "delete that folder."
            )


def _plain_values(text):
    """Top-level keys of a yaml whose values are not objects, unexecuted."""
    values = YAML(typ="rt").load(text)
    return {
        key: value
        for key, value in values.items()
        if value is None or isinstance(value, (bool, int, float, str, list))
    }


def make_label_encoder(emotions, save_folder):
    """Class names and indices, kept beside the checkpoints.

    Arguments
    ---------
    emotions : list of str
        In the order of the logits.
    save_folder : str or pathlib.Path
        Where label_encoder.txt goes.

    Returns
    -------
    CategoricalEncoder
        Knows the emotions and nothing else.
    """
    path = pathlib.Path(save_folder) / "label_encoder.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = CategoricalEncoder()
    encoder.load_or_create(path, from_iterables=[emotions])
    encoder.expect_len(len(emotions))
    return encoder


def write_protocol(hparams, **facts):
    """Write protocol.json: what a run's numbers rest on.

    Arguments
    ---------
    hparams : dict
        Of the run.
    **facts
        More to write down.
    """
    folder = pathlib.Path(hparams["output_folder"])
    speakers = {
        part: sorted(read_manifest(folder / f"{part}.csv")["spk_id"].unique())
        for part in ("train", "valid", "test")
    }
    said = ("system", "seed", "fold", "wav2vec2_hub", "weighting", "snrs_db")
    card = {
        **{key: hparams[key] for key in said},
        "noise_folder": str(hparams["noise_folder"]),
        "speakers": speakers,
        **facts,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "speechbrain": sb.__version__,
            "transformers": transformers.__version__,
        },
    }
    (folder / PROTOCOL).write_text(json.dumps(card, indent=2) + "\n")


def read_protocol(output_folder):
    """What ``write_protocol`` wrote."""
    return json.loads((pathlib.Path(output_folder) / PROTOCOL).read_text())


def copy_protocol(run_folder, folder, changes):
    """Write a run's protocol into another folder, with some facts changed."""
    card = {**read_protocol(run_folder), **changes}
    path = pathlib.Path(folder) / PROTOCOL
    path.write_text(json.dumps(card, indent=2) + "\n")
