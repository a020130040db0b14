"""Grid search of the objective with Ray Tune, each fold by its validation speaker.

A choice that the folds made together would rest on speakers that some of them
test. So each fold chooses for itself.

Authors
 * The MLKD team 2026
"""

import itertools
import os
import shutil

import pandas

from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.validation import mean_over_snrs
from mlkd_brain.files import write_csv, write_json
from mlkd_brain.fingerprint import fingerprint
from mlkd_brain.names import VALIDATION
from mlkd_brain.optional import require
from mlkd_brain.study.content import EPOCHS, Contents
from mlkd_brain.study.definition import choice_path, last_epoch
from mlkd_brain.study.options import read_study
from mlkd_brain.study.plan import make_plan
from mlkd_brain.study.search_picture import draw_grid

#: Tune's own settings, unless they are set.
TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the search
    "RAY_AIR_NEW_OUTPUT": "0",  # our lines are enough
}


def search(argv):
    """Command line of ``search_objective.py``.

    Arguments
    ---------
    argv : list of str
        See ``mlkd_brain.study.options.parser``; the systems are the searched
        one and what it depends on.

    Raises
    ------
    InputError
        If something given cannot be used; nothing was trained then.
    SystemExit
        With code 1 if a run failed, 130 after Ctrl-C.
    """
    study, options = read_study(argv)
    require("ray", "rich")
    from mlkd_brain.study.board import Board
    from mlkd_brain.study.executor import Cluster

    if "search" not in study.settings:
        raise InputError(
            f"{options.study}: has no key 'search', which says what is searched; "
            "take it from hparams/study.yaml."
        )
    refuse_bad_grid(study)
    searched = study.settings["search"]["system"]
    study.settings["systems"] = [searched]
    runs = [run for run in study.runs() if run.system == searched]
    contents = Contents(study)
    needed = dict.fromkeys(run.depends_on for run in runs if run.depends_on)
    plan = make_plan(needed, contents, options.changed)
    cells = []
    for run in runs:
        depends_on = plan[run.depends_on].content if run.depends_on else None
        cells.append(Cells(study, run, contents.of(run, depends_on)))
    with Cluster(study, options.address) as cluster:
        with Board(plan) as board:
            board.max_concurrent = cluster.max_concurrent
            if cluster.run(plan, board):
                raise SystemExit(1)
        with cluster.interruptible():
            for fold in cells:
                fold.train(cluster)
                fold.validate(cluster)
                fold.choose()


def refuse_bad_grid(study):
    """Refuse a search that could not be carried out to its end.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``search`` says the system and the grid.

    Raises
    ------
    InputError
        If the system is unknown, or the grid has other than two keys of its
        yaml, or a key has other values than numbers.
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
        numbers = isinstance(values, list) and all(
            type(value) in (int, float) for value in values
        )
        if not numbers or not values:
            raise InputError(
                f"The search has {key}: {values}; give a list of numbers."
            )


class Cells:
    """The grid of one fold: a run for each pair of values.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``search`` says the grid.
    run : mlkd_brain.study.definition.Run
        Of the searched system, as it would be without a search.
    content : dict
        Of that run, see ``mlkd_brain.study.content.Contents``.
    """

    def __init__(self, study, run, content):
        self.study, self.run, self.content = study, run, content
        self.settings = study.settings["search"]
        self.with_clean = self.settings.get("with_clean", False)
        self.keys = list(self.settings["grid"])
        # with another grid, other settings, data or code it is another search
        name = fingerprint([content, self.settings])
        self.place = f"search/{run.seed}_fold_{run.fold}_{name}"
        self.runs = {
            values: self._cell(dict(zip(self.keys, values)))
            for values in itertools.product(*self.settings["grid"].values())
        }

    def _cell(self, values):
        name = "_".join(f"{key}_{value}" for key, value in values.items())
        run = self.run
        return self.study.run(
            run.system,
            run.seed,
            run.fold,
            run.depends_on,
            system=f"{self.place}/{name}",
            **values,
        )

    def train(self, cluster):
        """Train the cells; ASHA stops those that fall behind.

        By the epoch's validation UA, in the one noisy draw of each utterance.

        Arguments
        ---------
        cluster : mlkd_brain.study.executor.Cluster
            Where.

        Raises
        ------
        SystemExit
            With code 1 if a cell failed.
        """
        for name, value in TUNE.items():
            os.environ.setdefault(name, value)
        from ray import tune

        from mlkd_brain.study.search_trial import Trial

        jobs = {
            str(run): {"run": run, "epochs": self._epochs(), **cluster.shared()}
            for run in self.runs.values()
        }
        trial = tune.with_resources(
            tune.with_parameters(Trial, jobs=jobs), cluster.resources()
        )
        folder = self.study.results / self.place
        if tune.Tuner.can_restore(str(folder / "tune")):
            tuner = tune.Tuner.restore(
                str(folder / "tune"),
                trial,
                resume_unfinished=True,
                resume_errored=True,
            )
        else:
            tuner = self._tuner(trial, list(jobs), folder)
        errors = tuner.fit().errors
        if errors:
            print(f"{len(errors)} trials failed, such as: {errors[0]}")
            raise SystemExit(1)

    def _epochs(self):
        return self.content["hparams"][EPOCHS]

    def _tuner(self, trial, names, folder):
        from ray import tune

        from mlkd_brain.study.search_trial import Progress

        asha = tune.schedulers.ASHAScheduler(
            time_attr="epoch",
            max_t=self._epochs(),
            grace_period=min(self.settings["grace_epochs"], self._epochs()),
            reduction_factor=self.settings["reduction_factor"],
        )
        return tune.Tuner(
            trial,
            param_space={"cell": tune.grid_search(names)},
            tune_config=tune.TuneConfig(
                metric="UA", mode="max", scheduler=asha
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(folder),
                verbose=0,
                callbacks=[Progress(str(self.run), len(names))],
                failure_config=tune.FailureConfig(
                    max_failures=self.study.settings["retries"]
                ),
            ),
        )

    def validate(self, cluster):
        """Let the validation speaker hear the whole noise grid from each cell.

        Arguments
        ---------
        cluster : mlkd_brain.study.executor.Cluster
            Where.
        """
        import ray

        from mlkd_brain.study.task import validate

        task = cluster.task(validate)
        left = [
            run
            for run in self.runs.values()
            if not (run.folder / VALIDATION).is_file()
        ]
        print(f"{self.run}: validating {len(left)} cells over noise x SNR")
        ray.get([task.remote({"run": run, **cluster.shared()}) for run in left])

    def choose(self):
        """Write the grid, its picture and the choice; checkpoints go.

        Cells that ran to the end can be chosen.
        """
        rows = []
        for values, run in self.runs.items():
            table = pandas.read_csv(run.folder / VALIDATION)
            facts = {
                "UA": mean_over_snrs(table, self.with_clean),
                "epochs": last_epoch(run.folder / "train_log.txt"),
            }
            rows.append({**dict(zip(self.keys, values)), **facts})
            shutil.rmtree(run.folder / "save", ignore_errors=True)
        grid = pandas.DataFrame(rows)
        ran = grid["epochs"] == self._epochs()
        best = rows[grid["UA"].where(ran).idxmax()]
        self._write(grid, best)

    def _write(self, grid, best):
        results, run = self.study.results, self.run
        path = choice_path(results, run.seed, run.fold)
        stem = path.with_name(path.stem.replace("chosen", "grid"))
        write_csv(grid, f"{stem}.csv")
        chosen = {key: best[key] for key in self.keys}
        by = "validation UA averaged over noises and SNRs"
        by += " and clean" * self.with_clean
        said = {"chosen": chosen, "by": by, "UA": best["UA"], "of": self.place}
        write_json(said, path)
        heading = f"{run}: {by}"
        figure = draw_grid(grid, best, self.keys, heading, self._epochs())
        figure.savefig(f"{stem}.png", dpi=110)
        print(
            f"{run}: chosen {chosen}, {by} {100 * best['UA']:.1f} %; {stem}.png"
        )
