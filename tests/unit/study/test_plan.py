"""What a study does with the runs that it finds, and what it shows."""

import io
import json

import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.study.board import Board
from mlkd_brain.study.content import BY_HAND
from mlkd_brain.study.definition import Run
from mlkd_brain.study.plan import make_plan
from rich.console import Console


@pytest.fixture
def runs(tmp_path):
    def run(system, fold, depends_on=None):
        folder = tmp_path / system / "1986" / f"fold_{fold}"
        script = f"train_{system}.py"
        return Run(system, 1986, fold, script, "x.yaml", (), folder, depends_on)

    teachers = [run("teacher", fold) for fold in (1, 2)]
    return [*teachers, *(run("student", t.fold, t) for t in teachers)]


class Contents:
    """Of every run alike, except for what is given."""

    def __init__(self, code="a", lr=1, number_of_epochs=8):
        self.code = code
        self.hparams = {"lr": lr, "number_of_epochs": number_of_epochs}

    def for_run(self, run, dependency=None):
        hparams = {**self.hparams, "fold": run.fold}
        depends_on = dependency and json.dumps(dependency)
        return {"hparams": hparams, "code": self.code, "depends_on": depends_on}


def leave(runs, contents, state="finished", **facts):
    """States as a study leaves them."""
    plan = make_plan(runs, contents)
    for run, step in plan.items():
        run.folder.mkdir(parents=True, exist_ok=True)
        written = {"state": state, "content": step.content, **facts}
        (run.folder / "study.json").write_text(json.dumps(written))


def test_finished_runs_are_skipped_and_interrupted_ones_go_on(runs):
    leave(runs[:1], Contents())
    leave(runs[1:2], Contents(), state="running")
    plan = make_plan(runs, Contents())
    assert [step.finished for step in plan.values()] == [True] + 3 * [False]
    assert not any(step.redo for step in plan.values())


def test_other_settings_are_refused_by_name(runs):
    leave(runs, Contents())
    with pytest.raises(InputError, match=r"other lr \(and 3 more runs\)"):
        make_plan(runs, Contents(lr=2))
    with pytest.raises(InputError, match="other lr"):
        make_plan(runs, Contents(lr=2), changed="keep")
    plan = make_plan(runs, Contents(lr=2), changed="redo")
    assert all(step.redo and not step.finished for step in plan.values())


def test_runs_of_other_code_can_be_kept(runs):
    leave(runs, Contents(code="a"))
    with pytest.raises(InputError, match="other code"):
        make_plan(runs, Contents(code="b"))
    plan = make_plan(runs, Contents(code="b"), changed="keep")
    assert all(step.finished for step in plan.values())
    assert {step.content["code"] for step in plan.values()} == {"a"}


def test_more_epochs_go_on_and_fewer_are_refused(runs):
    leave(runs[:1], Contents())
    (step,) = make_plan(runs[:1], Contents(number_of_epochs=9)).values()
    assert not step.finished and not step.redo
    with pytest.raises(InputError, match="other number_of_epochs"):
        make_plan(runs[:1], Contents(number_of_epochs=7))


def test_a_student_of_another_teacher_is_another_student(runs):
    leave(runs, Contents())
    with pytest.raises(InputError, match="other number_of_epochs, depends_on"):
        make_plan(runs, Contents(number_of_epochs=9))


def test_a_run_that_was_trained_by_hand_is_adopted(runs):
    (runs[0].folder / "save" / "CKPT+1").mkdir(parents=True)
    leave(runs[:1], Contents())
    found = json.loads((runs[0].folder / "study.json").read_text())
    assert found["content"]["code"] == BY_HAND
    plan = make_plan(runs[:1], Contents(code="b"))
    assert plan[runs[0]].finished


def test_lines_say_what_runs_and_what_failed_and_why(runs):
    printed = io.StringIO()
    leave(runs[:1], Contents(), seconds=60.0)
    plan = make_plan(runs, Contents())
    with Board(plan, Console(file=printed, width=100)) as board:
        written = {"state": "running", "study": "mine"}
        runs[1].folder.mkdir(parents=True)
        (runs[1].folder / "study.json").write_text(json.dumps(written))
        board.refresh(runs[1:], "another's")
        assert "running" not in printed.getvalue()
        board.refresh(runs[1:], "mine")
        board.ended(runs[1], "out of memory")
        board.ended(runs[3], "the same")
    text = printed.getvalue()
    assert "4 runs, 1 finished before" in text
    assert "teacher/1986/fold_2 running; 2 waiting, 1 running, 1 done" in text
    assert "0:01:00 left" in text
    assert "failed: teacher/1986/fold_2: out of memory; see" in text
    assert (
        "skipped: student/1986/fold_2: depends on teacher/1986/fold_2" in text
    )


def test_the_table_shows_every_run_and_its_epoch(runs):
    printed = io.StringIO()
    console = Console(
        file=printed, width=100, force_terminal=True, color_system=None
    )
    leave(runs[:1], Contents(), seconds=60.0)
    with Board(make_plan(runs, Contents()), console) as board:
        runs[1].folder.mkdir(parents=True)
        written = {"state": "running", "study": "mine"}
        (runs[1].folder / "study.json").write_text(json.dumps(written))
        log = "epoch: 1, x - y\nepoch: 2, x - y\n"
        (runs[1].folder / "train_log.txt").write_text(log)
        board.refresh(runs, "mine")
    text = printed.getvalue()
    assert all(sign in text for sign in ("✓", "2/8", "·"))
    assert "student, 1986" in text and "1 done" in text
