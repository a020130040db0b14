"""Grid search of the objective with Ray Tune, each fold by its validation speaker.

Each fold chooses for itself: a choice made by all folds together would rest on
speakers that some of them test.

Authors
 * The MLKD team 2026
"""

import itertools
import os
import shutil
from typing import Any

import pandas
import ray
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.validation import mean_over_snrs
from mlkd_brain.files import write_csv
from mlkd_brain.fingerprint import fingerprint
from mlkd_brain.names import TRAIN_LOG, VALIDATION
from mlkd_brain.study.board import Board
from mlkd_brain.study.choice import write_choice
from mlkd_brain.study.content import EPOCHS, StudyContent
from mlkd_brain.study.definition import Run, Study, choice_path, last_epoch
from mlkd_brain.study.executor import Cluster
from mlkd_brain.study.plan import make_plan
from mlkd_brain.study.search_picture import draw_grid
from mlkd_brain.study.search_trial import Progress, Trial
from mlkd_brain.study.task import validate
from ray import tune

#: Tune's own settings, unless they are set.
TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the search
    "RAY_AIR_NEW_OUTPUT": "0",  # our lines are enough
}


def search(study: Study, changed: str, address: str | None) -> None:
    """Train what the grid's runs depend on, then search fold by fold.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``search`` has the system and the grid.
    changed, address
        See ``make_plan`` and ``Cluster``.

    Raises
    ------
    InputError, SystemExit
        See ``mlkd_brain.study.command.run_study``.
    """
    refuse_bad_grid(study)
    system = study.settings["search"]["system"]
    study.settings["systems"] = [system]
    runs = [run for run in study.runs() if run.system == system]
    contents = StudyContent(study)
    needed = dict.fromkeys(run.depends_on for run in runs if run.depends_on)
    plan = make_plan(list(needed), contents, changed)
    searches = []
    for run in runs:
        dependency = plan[run.depends_on].content if run.depends_on else None
        content = contents.for_run(run, dependency)
        searches.append(GridSearch(study, run, content))
    with Cluster(study, address) as cluster:
        with Board(plan) as board:
            if cluster.run(plan, board):
                raise SystemExit(1)
        with cluster.interruptible():
            for grid in searches:
                grid.search(cluster)


def refuse_bad_grid(study: Study) -> None:
    """Refuse a search that could not run to its end.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its grid must have two keys of the system's yaml, with numbers.
    """
    system, grid = (study.settings["search"][key] for key in ("system", "grid"))
    study.check(system)
    yaml = study.settings["definitions"][system]["yaml"]
    unknown = [key for key in grid if key not in study.keys(yaml)]
    if unknown or len(grid) != 2:
        raise InputError(
            f"The search has a grid of {', '.join(grid)}"
            + f"; {yaml} has no {', '.join(unknown)}" * bool(unknown)
            + "; give two keys of that system's yaml."
        )
    for key, values in grid.items():
        types = {type(v) for v in values} if isinstance(values, list) else None
        if not types or not types <= {int, float}:
            raise InputError(
                f"The search has {key}: {values}; give a list of numbers."
            )


class GridSearch:
    """The grid of one fold: a run for each pair of values.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``search`` has the grid.
    run : mlkd_brain.study.definition.Run
        Of the searched system, as it would be without a search.
    content : dict
        Of that run, see ``mlkd_brain.study.content.StudyContent``.
    """

    def __init__(self, study: Study, run: Run, content: dict):
        self.study, self.run, self.content = study, run, content
        self.settings = study.settings["search"]
        self.with_clean = self.settings.get("with_clean", False)
        self.keys = list(self.settings["grid"])
        self.number_of_epochs = content["hparams"][EPOCHS]
        # with another grid, other settings, data or code it is another search
        name = fingerprint([content, self.settings])
        self.folder = f"search/{run.seed}_fold_{run.fold}_{name}"
        self.runs = {
            values: self._cell(dict(zip(self.keys, values)))
            for values in itertools.product(*self.settings["grid"].values())
        }

    def _cell(self, values: dict[str, Any]) -> Run:
        name = "_".join(f"{key}_{value}" for key, value in values.items())
        run, system = self.run, f"{self.folder}/{name}"
        shared = (run.system, run.seed, run.fold, run.depends_on)
        return self.study.run(*shared, system=system, **values)

    def search(self, cluster: Cluster) -> None:
        """Train the runs, score them, and choose one; skips what is done.

        Arguments
        ---------
        cluster : mlkd_brain.study.executor.Cluster
            Runs the trials and the scoring.

        Raises
        ------
        SystemExit
            With code 1 if a run failed.
        """
        self._train(cluster)
        self._validate(cluster)
        self._choose()

    def _train(self, cluster: Cluster) -> None:
        """Train the runs; ASHA stops those that fall behind in validation UA.

        In it each utterance has one noise; the choice rests on all of them.
        """
        for name, value in TUNE.items():
            os.environ.setdefault(name, value)
        shared = {"epochs": self.number_of_epochs, **cluster.shared()}
        jobs = {str(run): {"run": run, **shared} for run in self.runs.values()}
        trial = tune.with_resources(
            tune.with_parameters(Trial, jobs=jobs), cluster.resources()
        )
        folder = str(self.study.results / self.folder)
        if tune.Tuner.can_restore(f"{folder}/tune"):
            # unfinished trials are resumed by default
            tuner = tune.Tuner.restore(
                f"{folder}/tune", trial, resume_errored=True
            )
        else:
            tuner = self._tuner(trial, list(jobs), folder)
        errors = tuner.fit().errors
        if errors:
            print(f"{len(errors)} trials failed, such as: {errors[0]}")
            raise SystemExit(1)

    def _tuner(self, trial, names: list[str], folder: str) -> tune.Tuner:
        epochs, retries = self.number_of_epochs, self.study.settings["retries"]
        asha = tune.schedulers.ASHAScheduler(
            time_attr="epoch",
            max_t=epochs,
            grace_period=min(self.settings["grace_epochs"], epochs),
            reduction_factor=self.settings["reduction_factor"],
        )
        config = tune.RunConfig(
            name="tune",
            storage_path=folder,
            verbose=0,
            callbacks=[Progress(str(self.run), len(names))],
            failure_config=tune.FailureConfig(max_failures=retries),
        )
        best_ua = tune.TuneConfig(metric="UA", mode="max", scheduler=asha)
        return tune.Tuner(
            trial,
            param_space={"cell": tune.grid_search(names)},
            tune_config=best_ua,
            run_config=config,
        )

    def _validate(self, cluster: Cluster) -> None:
        """Score each run on the validation speaker over noise x SNR."""
        task, runs = cluster.task(validate), self.runs.values()
        left = [r for r in runs if not (r.folder / VALIDATION).is_file()]
        print(f"{self.run}: validating {len(left)} cells over noise x SNR")
        ray.get([task.remote({"run": run, **cluster.shared()}) for run in left])

    def _choose(self) -> None:
        """Choose among the runs that were not stopped; delete checkpoints."""
        rows = []
        for values, run in self.runs.items():
            table = pandas.read_csv(run.folder / VALIDATION)
            row = dict(zip(self.keys, values))
            row["UA"] = mean_over_snrs(table, self.with_clean)
            row["epochs"] = last_epoch(run.folder / TRAIN_LOG)
            rows.append(row)
            shutil.rmtree(run.folder / "save", ignore_errors=True)
        grid = pandas.DataFrame(rows)
        completed = grid["epochs"] == self.number_of_epochs
        self._write(grid, rows[grid["UA"].where(completed).idxmax()])

    def _write(self, grid: pandas.DataFrame, best: dict) -> None:
        run = self.run
        path = choice_path(self.study.results, run.seed, run.fold)
        stem = path.with_name(path.stem.replace("chosen", "grid"))
        write_csv(grid, f"{stem}.csv")
        chosen = {key: best[key] for key in self.keys}
        by = "validation UA averaged over noises and SNRs"
        by += " and clean" * self.with_clean
        facts = {"chosen": chosen, "by": by, "UA": best["UA"]}
        facts["of"] = self.folder
        write_choice(self.study, run, self.content, **facts)
        title = f"{run}: {by}"
        figure = draw_grid(grid, best, self.keys, title, self.number_of_epochs)
        figure.savefig(f"{stem}.png", dpi=110)
        print(
            f"{run}: chosen {chosen}, {by} {100 * best['UA']:.1f} %; {stem}.png"
        )
