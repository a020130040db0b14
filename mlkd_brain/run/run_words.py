"""The command line of a run, from its folder: what it was trained with.

    python evaluate.py results/student/1986/fold_3 --snrs_db [-5]

is the same as ``hparams/student.yaml`` with every option of that run, and then
``--snrs_db``.

Authors
 * The MLKD team 2026
"""

import pathlib
import re

from mlkd_brain.errors import InputError, nearest
from mlkd_brain.names import HPARAMS
from mlkd_brain.run.command_line import split_words
from mlkd_brain.run.options import OPTIONS
from mlkd_brain.run.plain_yaml import (
    as_word,
    plain_values,
    read_yaml_text,
    top_level_keys,
)

#: What another test of a trained run may change.
TEST_OPTIONS = {"weighting", "snrs_db", "noise_types", "batch_size"}
#: What changes no number.
PLACES = {"data_folder", "noise_folder", "noise_cache", "save_mixtures"}
SOURCE = re.compile(r"^# (?:From )?(\S.*\.yaml)$", re.MULTILINE)


def words_of_run(argv: list[str]) -> list[str]:
    """A command line whose run folder is replaced by the run's own options.

    Arguments
    ---------
    argv : list of str
        A run's folder and options of the test; with a yaml in the folder's
        place it comes back as it is.

    Raises
    ------
    InputError
        If the folder is no run, its yaml is not here, or an option is not one
        of the test.

    Returns
    -------
    list of str
        ``hparams/x.yaml`` and ``--key=value`` for every plain setting.
    """
    files, given, flags = split_words(argv)
    if len(files) != 1 or not pathlib.Path(files[0]).is_dir():
        return argv
    run = pathlib.Path(files[0])
    text = _read_run(run)
    hparams_file = _yaml_of(run, text)
    keys = top_level_keys(hparams_file.read_text(encoding="utf-8"))
    _refuse_others(given, keys)
    own = {
        "output_folder": run,
        "save_folder": run / "save",
        "train_log": run / "train_log.txt",
    }
    kept = {
        key: value
        for key, value in plain_values(text).items()
        if key in keys and (key in OPTIONS.properties or not _is_mapping(value))
    }
    words = {k: as_word(v) for k, v in {**kept, **own}.items()}
    pairs = (f"--{key}={word}" for key, word in {**words, **given}.items())
    return [str(hparams_file), *pairs, *sorted(flags)]


def _is_mapping(value):
    """Of objects, perhaps: references in it are resolved."""
    return isinstance(value, dict)


def _read_run(run):
    try:
        return read_yaml_text(run / HPARAMS)
    except InputError as error:
        raise InputError(
            f"{error} {run} is no folder of a run; give one, e.g. "
            "results/student/1986/fold_3."
        ) from None


def _yaml_of(run, text):
    """The recipe's yaml that the run was trained with."""
    source = SOURCE.search(text)
    named = pathlib.Path(source[1]) if source else pathlib.Path("of the run")
    here = pathlib.Path("hparams") / named.name
    for path in (here, named):
        if path.is_file():
            return path
    raise InputError(
        f"{run}: was trained with {named}, which is not here. Run from the "
        "recipe's folder."
    )


def _refuse_others(given, keys):
    allowed = TEST_OPTIONS | PLACES
    for key in given:
        if key in keys and key not in allowed:
            raise InputError(
                f"--{key} belongs to the training of the run; its test can be "
                f"changed by {', '.join(sorted(allowed & keys))}."
                f"{nearest(key, allowed)}"
            )
