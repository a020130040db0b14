"""A study as plain data: systems x folds x seeds, and what each run needs first.

Authors
 * The MLKD team 2026
"""

import argparse
import dataclasses
import itertools
import json
import pathlib

from hyperpyyaml import load_hyperpyyaml

from mlkd_brain.errors import InputError

LISTS = ("systems", "folds", "seeds")
CHANGED = ("refuse", "redo", "keep")


@dataclasses.dataclass(frozen=True)
class Run:
    """One system, one seed, one fold: a training and its evaluation.

    Arguments
    ---------
    system : str
        Its name in the tables.
    seed : int
        Of everything random.
    fold : int
        Counted from 1.
    script : str
        Trains it, e.g. "train_student.py".
    options : tuple of str
        ``hparams/x.yaml`` and ``--key value``, for that script and evaluate.py.
    folder : pathlib.Path
        Its ``output_folder``.
    needs : Run, optional
        What must be finished first, the teacher.
    """

    system: str
    seed: int
    fold: int
    script: str
    options: tuple
    folder: pathlib.Path
    needs: "Run | None" = None

    def __str__(self):
        return f"{self.system}/{self.seed}/fold_{self.fold}"


class Study:
    """What study.yaml and the command line ask for.

    Arguments
    ---------
    settings : dict
        The keys of study.yaml.
    recipe : str or pathlib.Path
        Folder that the scripts run in.

    Raises
    ------
    InputError
        If a system is unknown or one of its files is missing.
    """

    def __init__(self, settings, recipe="."):
        self.settings = settings
        self.recipe = pathlib.Path(recipe).resolve()
        self.results = self.recipe / settings["results_folder"]
        for name in settings["systems"]:
            self._check(name)

    def _check(self, name):
        definitions = self.settings["definitions"]
        if name not in definitions:
            raise InputError(
                f"Unknown system '{name}', expected one of {list(definitions)}; "
                "change --systems, or add it to `definitions` of the study."
            )
        for key in ("script", "yaml"):
            path = definitions[name].get(key)
            if path is None or not (self.recipe / path).is_file():
                raise InputError(
                    f"System '{name}' has the {key} '{path}', which is no file "
                    f"in {self.recipe}; change `definitions` of the study, or "
                    "run from the recipe's folder."
                )
        needed = definitions[name].get("needs")
        if needed is not None:
            self._check(needed)

    def runs(self):
        """Every run, what it needs before it, one fold after the other.

        Returns
        -------
        list of Run
            Systems that are needed are among them, asked for or not.
        """
        made = {}
        places = (self.settings[key] for key in ("seeds", "folds", "systems"))
        for seed, fold, system in itertools.product(*places):
            self._add(made, system, seed, fold)
        return list(made.values())

    def _add(self, made, system, seed, fold):
        key = (system, seed, fold)
        if key not in made:
            needed = self.settings["definitions"][system].get("needs")
            needs = needed and self._add(made, needed, seed, fold)
            made[key] = self.run(system, seed, fold, needs)
        return made[key]

    def run(self, system, seed, fold, needs=None, **overrides):
        """One run of a system; ``overrides`` are the last word."""
        definition = self.settings["definitions"][system]
        own = {
            **self.settings["overrides"],
            **definition.get("overrides", {}),
            "results_folder": self.settings["results_folder"],
            "system": system,
            "seed": seed,
            "fold": fold,
            **overrides,
        }
        if needs is not None:
            own["teacher_folder"] = f"{own['results_folder']}/{needs}"
        words = itertools.chain.from_iterable(
            (f"--{key}", as_word(value)) for key, value in own.items()
        )
        place = f"{own['system']}/{seed}/fold_{fold}"
        return Run(
            own["system"],
            seed,
            fold,
            definition["script"],
            (definition["yaml"], *words),
            self.results / place,
            needs,
        )


def as_word(value):
    """A value of a yaml as a word of a command line.

    Example
    -------
    >>> [as_word(value) for value in (True, None, ["babble", "f16"], 0.5, "g712")]
    ['true', 'null', '["babble", "f16"]', '0.5', 'g712']
    """
    plain = isinstance(value, (str, pathlib.Path))
    return str(value) if plain else json.dumps(value)


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
    """Options of ``run_folds.py``; None leaves what study.yaml says."""
    made = argparse.ArgumentParser(
        prog="run_folds.py",
        description="Train and evaluate systems x folds x seeds. Any key of the "
        "systems' yaml files can be given as --key value, too.",
        allow_abbrev=False,
    )
    made.add_argument("study", help="e.g. hparams/study.yaml")
    made.add_argument("--folds", type=numbers, help="e.g. 1-10 or 1,4,7")
    made.add_argument("--seeds", type=numbers, help="e.g. 1986,1987")
    made.add_argument("--systems", help="e.g. teacher,student")
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
