"""How Ray executes a plan, with scripts that take no time."""

import io

import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.study.board import Board
from mlkd_brain.study.definition import Study
from mlkd_brain.study.plan import Step
from mlkd_brain.study.task import read_state
from rich.console import Console

pytest.importorskip("ray")
from mlkd_brain.study.executor import Cluster  # noqa: E402

# by fold: ends well, fails, fails at first, is given bad input
TRAIN = """
import pathlib, sys
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
fold = int(options["--fold"])
once = pathlib.Path(options["--system"] + str(fold))
tried = once.exists()
once.touch()
print("the reason")
sys.exit([0, 1, 0 if tried else 1, 2][fold - 1])
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "evaluate.py").write_text("")
    (tmp_path / "x.yaml").write_text("")
    system = {"script": "train.py", "yaml": "x.yaml"}
    settings = {
        "results_folder": "results",
        "systems": ["teacher", "student"],
        "folds": [1, 2, 3, 4],
        "seeds": [1986],
        "overrides": {},
        "definitions": {
            "teacher": system,
            "student": {**system, "depends_on": "teacher"},
        },
        "cpus_per_run": 1,
        "gpus_per_run": 0,
        "retries": 2,
    }
    return Study(settings, tmp_path)


def test_failed_runs_are_tried_again_and_stop_only_what_needs_them(study):
    printed = io.StringIO()
    plan = {run: Step({"fold": run.fold}) for run in study.runs()}
    board = Board(plan, Console(file=printed, width=200))
    with Cluster(study) as cluster, board:
        failed = cluster.run(plan, board)
    assert [str(run) for run in sorted(failed, key=str)] == [
        f"{system}/1986/fold_{fold}"
        for system in ("student", "teacher")
        for fold in (2, 4)
    ]
    states = {str(run): read_state(run.folder) for run in plan}
    found = [
        (state.get("state"), state.get("attempts"))
        for name, state in sorted(states.items())
    ]
    students = [("finished", 1), (None, None), ("finished", 2), (None, None)]
    teachers = [("finished", 1), ("failed", 3), ("finished", 2), ("failed", 1)]
    assert found == students + teachers
    text = printed.getvalue()
    assert "failed: teacher/1986/fold_2: the reason" in text
    assert "(train.py ended with 2)" in text
    assert (
        "skipped: student/1986/fold_4: depends on teacher/1986/fold_4" in text
    )


def test_a_run_that_fits_nowhere_gets_one_line(study):
    study.settings["cpus_per_run"] = 1000
    with pytest.raises(InputError, match="wants 1000 CPUs and 0 GPUs, no node"):
        with Cluster(study):
            pass


def test_a_cluster_that_is_not_there_gets_one_line(study):
    with pytest.raises(InputError, match="No Ray cluster at address"):
        with Cluster(study, "127.0.0.1:1"):
            pass
