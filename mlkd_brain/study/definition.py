"""A study as plain data: systems x folds x seeds, and what each run depends on.

Authors
 * The MLKD team 2026
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import re

import yaml

from mlkd_brain.errors import InputError
from mlkd_brain.names import CORPUS


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
    yaml : str
        Its hyper-parameters, e.g. "hparams/student.yaml".
    overrides : tuple of (str, str)
        Keys of the yaml, and values as words of a command line.
    folder : pathlib.Path
        Its ``output_folder``.
    depends_on : Run, optional
        What must be finished first, the teacher.
    """

    system: str
    seed: int
    fold: int
    script: str
    yaml: str
    overrides: tuple
    folder: pathlib.Path
    depends_on: "Run | None" = None

    def __str__(self):
        return f"{self.system}/{self.seed}/fold_{self.fold}"

    @property
    def options(self):
        """Words for the scripts: ``hparams/x.yaml --key value``."""
        pairs = ((f"--{key}", word) for key, word in self.overrides)
        return [self.yaml, *itertools.chain.from_iterable(pairs)]


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
            self.check(name)

    def check(self, name):
        """Refuse a system that is not defined, or whose files are missing."""
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
        needed = definitions[name].get("depends_on")
        if needed is not None:
            self.check(needed)

    def runs(self):
        """Every run, what it depends on before it, one fold after the other.

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
            needed = self.settings["definitions"][system].get("depends_on")
            depends_on = needed and self._add(made, needed, seed, fold)
            made[key] = self.run(system, seed, fold, depends_on)
        return made[key]

    def run(self, name, seed, fold, depends_on=None, **overrides):
        """One run of a system.

        Arguments
        ---------
        name : str
            In ``definitions``.
        seed : int
            Of everything random.
        fold : int
            Counted from 1.
        depends_on : Run, optional
            What must be finished first.
        **overrides
            The last word on keys of the yaml, ``system`` among them.

        Raises
        ------
        InputError
            If the system wants what was searched, and nothing was.

        Returns
        -------
        Run
            Its folder is below the results of the study.
        """
        definition = self.settings["definitions"][name]
        own = {
            **self._overrides(definition["yaml"]),
            **definition.get("overrides", {}),
            "results_folder": self.settings["results_folder"],
            "system": name,
            "seed": seed,
            "fold": fold,
            **overrides,
        }
        if depends_on is not None:
            own["teacher_folder"] = f"{own['results_folder']}/{depends_on}"
        if definition.get("searched"):
            own.update(read_choice(self.results, seed, fold))
        return Run(
            own["system"],
            seed,
            fold,
            definition["script"],
            definition["yaml"],
            tuple((key, as_word(value)) for key, value in own.items()),
            self.results / own["system"] / str(seed) / f"fold_{fold}",
            depends_on,
        )

    def _overrides(self, hparams_file):
        """What goes to every system, as far as this one's yaml has it.

        What no system has goes to all: it is a mistake, and said as one.
        """
        asked = map(self.settings["definitions"].get, self.settings["systems"])
        known = set().union(*(self.keys(system["yaml"]) for system in asked))
        return {
            key: value
            for key, value in self.settings["overrides"].items()
            if key in self.keys(hparams_file) or key not in known
        }

    def keys(self, hparams_file):
        """Keys at the top level of a yaml, which an override can replace."""
        return top_level_keys((self.recipe / hparams_file).read_text())

    def variables(self):
        """Names that the yaml files of the systems ask ``os.getenv`` for."""
        yamls = (d["yaml"] for d in self.settings["definitions"].values())
        for path in (self.recipe / name for name in yamls):
            text = path.read_text()
            corpus = path.with_name(CORPUS)
            if corpus.is_file():
                text += corpus.read_text()
            yield from re.findall(r"os\.getenv \[(\w+)", text)


@functools.lru_cache
def top_level_keys(text):
    """Keys of a yaml; nothing in it is executed.

    Example
    -------
    >>> sorted(top_level_keys("lr: 0.1\\nopt: !new:os.PathLike {lr: 1}"))
    ['lr', 'opt']
    >>> top_level_keys("")
    set()
    """
    content = yaml.compose(text)
    return {key.value for key, _ in content.value} if content else set()


def choice_path(results, seed, fold):
    """Where ``search_objective.py`` leaves what it chose for a fold."""
    return results / "search" / f"chosen_{seed}_fold_{fold}.json"


def read_choice(results, seed, fold):
    """Values that were chosen for a fold, by key of the yaml.

    Raises
    ------
    InputError
        If nothing was searched.
    """
    path = choice_path(results, seed, fold)
    try:
        return json.loads(path.read_text(encoding="utf-8"))["chosen"]
    except OSError:
        raise InputError(
            f"{path}: is missing; make it with `python search_objective.py`, "
            f"the yaml of this study and `--folds {fold} --seeds {seed}`."
        ) from None


def last_epoch(train_log):
    """Epochs that a training log has; 0 without one."""
    if not train_log.is_file():
        return 0
    return max(
        (int(n) for n in re.findall(r"epoch: (\d+)", train_log.read_text())),
        default=0,
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
