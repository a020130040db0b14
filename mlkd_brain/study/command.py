"""The command lines of ``run_folds.py`` and ``search_objective.py``.

Ray and torch are imported when the options are good: ``--help`` is quick.

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import subprocess
import sys

from hyperpyyaml import load_hyperpyyaml
from mlkd_brain.environment import set_environment
from mlkd_brain.errors import DEBUG, InputError, nearest
from mlkd_brain.optional import require
from mlkd_brain.run.command_line import speechbrain_actions
from mlkd_brain.run.plain_yaml import read_yaml_text
from mlkd_brain.study.definition import Study
from mlkd_brain.study.options import STUDY


def numbers(text: str) -> list[int]:
    """Numbers and ranges of numbers, both ends included.

    Example
    -------
    >>> numbers("1-3,7")
    [1, 2, 3, 7]
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            numbers = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            numbers = range(0)
        if not numbers:
            raise argparse.ArgumentTypeError(
                f"'{text}' is not like 1-10 or 1,4,7: '{part}' is no number, "
                "and no range that goes up"
            )
        found += numbers
    return list(dict.fromkeys(found))


def parser() -> argparse.ArgumentParser:
    """Options of both scripts; an option left out stays as in study.yml."""
    made = argparse.ArgumentParser(
        description="Systems x folds x seeds of a study. Any key of the "
        "systems' yaml files can be given as --key value, too.",
        allow_abbrev=False,
    )
    made.error = _refuse  # type: ignore
    add = made.add_argument
    add("study", help="e.g. hparams/study.yml")
    add("--folds", type=numbers, help="e.g. 1-10 or 1,4,7")
    add("--seeds", type=numbers, help="e.g. 1986,1987")
    add("--systems", help="e.g. teacher,student; a search has its own")
    add("--results_folder")
    add("--cpus_per_run", type=int, help="also its threads")
    add("--gpus_per_run", type=float, help="0.5: two runs share one")
    add("--retries", type=int, help="of a run that fails")
    add("--address", help="of a Ray cluster, or auto; else a local one is made")
    add(
        "--changed",
        choices=("refuse", "redo", "keep"),
        default="refuse",
        help="what becomes of runs that were made with other settings, data or "
        "code: redo them from the start, or keep those of other code or versions",
    )
    add(DEBUG, action="store_true", help="show where an error was found")
    return made


def _refuse(message):
    raise InputError(f"{message}; --help lists the options.")


def read_study(
    argv: list[str], recipe: str | pathlib.Path = "."
) -> tuple[Study, argparse.Namespace]:
    """The study of a command line.

    Arguments
    ---------
    argv : list of str
        See ``parser``; options that it does not know go to every script.
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
        The others.
    """
    options, others = parser().parse_known_args(argv)
    text = read_yaml_text(
        options.study,
        "Run from the recipe's folder, e.g. python run_folds.py "
        "hparams/study.yml",
    )
    settings = load_hyperpyyaml(text)
    given = {k: v for k, v in vars(options).items() if v is not None}
    if options.systems is not None:
        given["systems"] = options.systems.split(",")
    settings.update({k: v for k, v in given.items() if k in settings})
    STUDY.check(settings, f"Change {{key}} in {options.study}, or --{{key}}.")
    settings["overrides"] = {**settings["overrides"], **_pairs(others)}
    study = Study(settings, recipe)
    _refuse_unknown(study, options.study)
    return study, options


def _refuse_unknown(study, file):
    """Before ray and torch are loaded; values are checked by each yaml."""
    yamls = {
        system["yaml"] for system in study.settings["definitions"].values()
    }
    files = [name for name in yamls if (study.recipe / name).is_file()]
    known = set().union(*map(study.keys, files)) | {*speechbrain_actions()}
    for key in study.settings["overrides"]:
        if key not in known:
            ours = {a.dest for a in parser()._actions}
            raise InputError(
                f"{file} and the yaml files of its systems have no key '{key}'."
                f"{nearest(key, known | ours)} Take it out, or --{key}."
            )


def _pairs(words: list[str]) -> dict[str, str]:
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


def run_study(argv: list[str]) -> None:
    """Train and evaluate what is not finished, then write the report.

    Arguments
    ---------
    argv : list of str
        See ``parser``.

    Raises
    ------
    InputError
        If something given cannot be used; nothing was trained then.
    SystemExit
        With code 1 if a run failed, 130 after Ctrl-C.
    """
    study, options = read_study(argv)
    set_environment()
    require("ray", "rich")
    from mlkd_brain.study.board import Board
    from mlkd_brain.study.choice import refuse_other_choices
    from mlkd_brain.study.content import StudyContent
    from mlkd_brain.study.executor import Cluster
    from mlkd_brain.study.plan import make_plan

    contents = StudyContent(study)
    plan = make_plan(study.runs(), contents, options.changed)
    refuse_other_choices(study, plan, contents, options.changed)
    failed = []
    with Board(plan) as board:
        if not all(step.finished for step in plan.values()):
            with Cluster(study, options.address) as cluster:
                failed = cluster.run(plan, board)
    _write_report(study.results)
    if failed:
        raise SystemExit(1)


def run_search(argv: list[str]) -> None:
    """Search the objective's grid of each fold; see ``search.py``.

    Arguments
    ---------
    argv : list of str
        See ``parser``; the systems are the searched one and its dependency.

    Raises
    ------
    InputError, SystemExit
        See ``run_study``.
    """
    study, options = read_study(argv)
    set_environment()
    require("ray", "rich")
    from mlkd_brain.study.search import search

    if "search" not in study.settings:
        raise InputError(
            f"{options.study}: has no key 'search', which says what is searched; "
            "take it from hparams/study.yml."
        )
    search(study, options.changed, options.address)


def _write_report(results: pathlib.Path) -> None:
    """Write the report of a results folder; print its warnings."""
    words = ["-m", "mlkd_brain", "report", results, "--out", results / "report"]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True
    )
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        print(f"no report: {''.join(lines[-1:])}", file=sys.stderr)
        return
    for line in lines:
        if line.startswith("warning: "):  # a leak, or a run that lacks a file
            print(line, file=sys.stderr)
    print(f"report: {results / 'report'}")
