"""What every script of a recipe begins with: options and data.

Authors
 * The MLKD team 2026
"""

import inspect
import io
import logging
import os
import pathlib
import re
import sys
from typing import Any

import speechbrain as sb
from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml import YAML
from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.distributed import run_on_main

from mlkd_brain.data.folds import write_fold
from mlkd_brain.errors import InputError
from mlkd_brain.names import CORPUS, LABELS
from mlkd_brain.optional import refuse_missing_device
from mlkd_brain.run.protocol import OPTIMISATION, top_level_keys

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
        If the file is missing, or an option is unknown or out of range.

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
    # oneDNN caches compiled code for the last 1024 shapes of a batch; every batch
    # has another length: gigabytes on a CPU, and no faster
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8")
    hparams_file, run_opts, overrides = sb.parse_arguments(argv)
    refuse_missing_device(run_opts["device"])
    overrides = _with_settings(hparams_file, run_opts, overrides)
    overrides = with_corpus(hparams_file, overrides)
    # for the preparer that the yaml names, as a linked script lies elsewhere
    sys.path.insert(0, str(pathlib.Path(hparams_file).absolute().parents[1]))
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
    except ValueError as error:
        raise InputError(f"{hparams_file}: {error}") from None
    return hparams_file, hparams, run_opts, overrides


def _with_settings(hparams_file, run_opts, overrides):
    """SpeechBrain's options that are keys of the yaml, as overrides of it.

    So they belong to the settings of a run, are recorded with it, and a run is
    not resumed with other ones.
    """
    try:
        keys = top_level_keys(pathlib.Path(hparams_file).read_text("utf-8"))
    except OSError:
        return overrides  # named below
    given = keys & set(OPTIMISATION) & set(run_opts.overridden_args)
    added = [f"{key}: {run_opts[key]}" for key in sorted(given)]
    return "\n".join([overrides.rstrip(), *added]).strip()


def with_corpus(hparams_file: str | pathlib.Path, overrides: str) -> str:
    """Overrides of the command line on top of those of the corpus, as yaml.

    The recipes of all corpora share their yaml files; what is particular to a
    corpus is in ``corpus.yaml`` beside them, if there is one.
    """
    path = pathlib.Path(hparams_file).with_name(CORPUS)
    if not path.is_file():
        return overrides
    yaml = YAML()
    merged = yaml.load(path)
    merged.update(yaml.load(overrides) or {})
    stream = io.StringIO()
    yaml.dump(merged, stream)
    return stream.getvalue()


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
    encoder.load_or_create(path, from_iterables=[emotions])
    encoder.expect_len(len(emotions))
    return encoder
