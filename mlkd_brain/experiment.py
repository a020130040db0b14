"""What every script of a recipe begins with: options, data, protocol.

Authors
 * The MLKD team 2026
"""

import json
import pathlib
import platform

import speechbrain as sb
import torch
import transformers
from hyperpyyaml import load_hyperpyyaml
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
        raise InputError(
            f"{hparams_file} has no key {error}; its top-level keys can be given "
            "as --key value."
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
