"""A study as plain data: systems x folds x seeds, and what each run depends on.

Authors
 * The MLKD team 2026
"""

import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from mlkd_brain.errors import InputError
from mlkd_brain.names import CORPUS
from mlkd_brain.run.plain_yaml import as_word, top_level_keys


@dataclasses.dataclass(frozen=True)
class Run:
    """One training and its evaluation."""

    system: str  #: its name in the tables
    seed: int  #: of everything random
    fold: int  #: counted from 1
    script: str  #: trains it, e.g. "train_student.py"
    yaml: str  #: its hyper-parameters, e.g. "hparams/student.yaml"
    overrides: tuple[tuple[str, str], ...]  #: keys and words of a command line
    folder: pathlib.Path  #: its ``output_folder``
    depends_on: "Run | None" = None  #: is finished first: the teacher

    def __str__(self) -> str:
        return f"{self.system}/{self.seed}/fold_{self.fold}"

    @property
    def options(self) -> list[str]:
        """Words for the scripts: ``hparams/x.yaml --key value``."""
        pairs = ((f"--{key}", word) for key, word in self.overrides)
        return [self.yaml, *itertools.chain.from_iterable(pairs)]


class Study:
    """What study.yml and the command line ask for.

    Arguments
    ---------
    settings : dict
        The keys of study.yml.
    recipe : str or pathlib.Path
        Folder that the scripts run in.

    Raises
    ------
    InputError
        If a system is unknown or one of its files is missing.
    """

    def __init__(self, settings: dict, recipe: str | pathlib.Path = "."):
        self.settings = settings
        self.recipe = pathlib.Path(recipe).resolve()
        self.results = self.recipe / settings["results_folder"]
        for name in settings["systems"]:
            self.check(name)

    def check(self, name: str) -> None:
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
        if dependency := definitions[name].get("depends_on"):
            self.check(dependency)

    def runs(self) -> list[Run]:
        """Every run once, after the one it depends on, fold by fold.

        A system that another depends on is included, asked for or not.
        """
        runs: dict[Run, None] = {}
        axes = (self.settings[key] for key in ("seeds", "folds", "systems"))
        for seed, fold, system in itertools.product(*axes):
            run = None
            for name in self._chain(system):
                run = self.run(name, seed, fold, run)
                runs[run] = None
        return list(runs)

    def _chain(self, name: str) -> list[str]:
        """A system after those that it depends on."""
        dependency = self.settings["definitions"][name].get("depends_on")
        return [*(self._chain(dependency) if dependency else ()), name]

    def run(
        self,
        name: str,
        seed: int,
        fold: int,
        depends_on: Run | None = None,
        **overrides: Any,
    ) -> Run:
        """One run of a system.

        Arguments
        ---------
        name : str
            In ``definitions``.
        seed, fold, depends_on
            See ``Run``.
        **overrides
            Keys of the yaml, ``system`` among them; they win over all others.

        Raises
        ------
        InputError
            If the system takes values from a search that was not made.
        """
        definition = self.settings["definitions"][name]
        values = {
            **self._overrides(definition["yaml"]),
            **definition.get("overrides", {}),
            "results_folder": self.settings["results_folder"],
            "system": name,
            "seed": seed,
            "fold": fold,
            **overrides,
        }
        if depends_on is not None:
            values["teacher_folder"] = (
                f"{values['results_folder']}/{depends_on}"
            )
        if definition.get("searched"):
            values.update(read_choice(self.results, seed, fold))
        words = tuple((key, as_word(value)) for key, value in values.items())
        folder = self.results / values["system"] / str(seed) / f"fold_{fold}"
        files = definition["script"], definition["yaml"]
        which = values["system"], seed, fold
        return Run(*which, *files, words, folder, depends_on)

    def _overrides(self, hparams_file: str) -> dict:
        """Those of the study's overrides that a yaml has a key for.

        A key that no system has is passed to all: their scripts refuse it.
        """
        asked = map(self.settings["definitions"].get, self.settings["systems"])
        known = set().union(*(self.keys(system["yaml"]) for system in asked))
        others = known - self.keys(hparams_file)
        overrides = self.settings["overrides"].items()
        return {key: value for key, value in overrides if key not in others}

    def keys(self, hparams_file: str) -> set[str]:
        """Keys at the top level of a yaml, which an override can replace."""
        return top_level_keys((self.recipe / hparams_file).read_text())

    def variables(self) -> Iterator[str]:
        """Names that the yaml files of the systems ask ``os.getenv`` for."""
        names = {d["yaml"] for d in self.settings["definitions"].values()}
        files = {self.recipe / name for name in names}
        for path in files | {path.with_name(CORPUS) for path in files}:
            if path.is_file():
                yield from re.findall(r"os\.getenv \[(\w+)", path.read_text())


def choice_path(results: pathlib.Path, seed: int, fold: int) -> pathlib.Path:
    """File in which ``search_objective.py`` keeps what it chose for a fold."""
    return results / "search" / f"chosen_{seed}_fold_{fold}.json"


def read_choice(results: pathlib.Path, seed: int, fold: int) -> dict:
    """Values that a search chose for a fold; ``InputError`` without one."""
    path = choice_path(results, seed, fold)
    try:
        return json.loads(path.read_text(encoding="utf-8"))["chosen"]
    except OSError:
        raise InputError(
            f"{path}: is missing; make it with `python search_objective.py`, "
            f"the yaml of this study and `--folds {fold} --seeds {seed}`."
        ) from None


def last_epoch(train_log: pathlib.Path) -> int:
    """Number of the last epoch in a training log; 0 without a log."""
    text = train_log.read_text() if train_log.is_file() else ""
    return max(map(int, re.findall(r"epoch: (\d+)", text)), default=0)
