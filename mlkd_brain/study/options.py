"""The command line of a study.

Authors
 * The MLKD team 2026
"""

import argparse

from hyperpyyaml import load_hyperpyyaml

from mlkd_brain.errors import InputError
from mlkd_brain.study.definition import Study

CHANGED = ("refuse", "redo", "keep")


def numbers(text):
    """Numbers and ranges of numbers, both ends included.

    Example
    -------
    >>> numbers("1-3,7")
    [1, 2, 3, 7]
    """
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"'{text}' is not like 1-10 or 1,4,7"
            ) from None
    return found


def parser():
    """Options of ``run_folds.py`` and ``search_objective.py``.

    None leaves what study.yaml says.
    """
    made = argparse.ArgumentParser(
        description="Systems x folds x seeds of a study. Any key of the "
        "systems' yaml files can be given as --key value, too.",
        allow_abbrev=False,
    )
    made.add_argument("study", help="e.g. hparams/study.yaml")
    made.add_argument("--folds", type=numbers, help="e.g. 1-10 or 1,4,7")
    made.add_argument("--seeds", type=numbers, help="e.g. 1986,1987")
    made.add_argument(
        "--systems", help="e.g. teacher,student; a search has its own"
    )
    made.add_argument("--results_folder")
    made.add_argument("--cpus_per_run", type=int, help="also its threads")
    made.add_argument(
        "--gpus_per_run", type=float, help="0.5: two runs share one"
    )
    made.add_argument("--retries", type=int, help="of a run that fails")
    made.add_argument(
        "--address", help="of a Ray cluster, or auto; else a local one is made"
    )
    made.add_argument(
        "--changed",
        choices=CHANGED,
        default="refuse",
        help="what becomes of runs that were made with other settings, data or "
        "code: redo them from the start, or keep those of other code",
    )
    return made


def read_study(argv, recipe="."):
    """The study of a command line.

    Arguments
    ---------
    argv : list of str
        See ``parser``; what it does not know goes to every script.
    recipe : str or pathlib.Path
        Folder of the recipe.

    Raises
    ------
    InputError
        If the file is missing or a system unknown.

    Returns
    -------
    study : Study
        What to run.
    options : argparse.Namespace
        ``address`` and ``changed``.
    """
    options, others = parser().parse_known_args(argv)
    try:
        with open(options.study, encoding="utf-8") as stream:
            settings = load_hyperpyyaml(stream)
    except OSError:
        raise InputError(
            f"{options.study}: no such file. Run from the recipe's folder, e.g. "
            "python run_folds.py hparams/study.yaml"
        ) from None
    given = {k: v for k, v in vars(options).items() if v is not None}
    if options.systems is not None:
        given["systems"] = options.systems.split(",")
    settings.update({k: v for k, v in given.items() if k in settings})
    settings["overrides"] = {**settings["overrides"], **_pairs(others)}
    return Study(settings, recipe), options


def _pairs(words):
    """``--key value`` and ``--key=value`` as a dict."""
    pairs, words = {}, list(words)
    while words:
        key, equals, value = words.pop(0).partition("=")
        if not key.startswith("--") or not (equals or words):
            raise InputError(
                f"'{key}' is no option with a value; give --key value."
            )
        pairs[key[2:]] = value if equals else words.pop(0)
    return pairs
