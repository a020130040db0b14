"""A run that is killed and started again ends as one that never was."""

import os
import shutil
import signal
import time

import pytest
from killed_runs import KilledRuns, assert_equal, make_corpus, moments, wait
from mlkd_brain.errors import STOPPED

LONG = "TORTURE_FOLDER" in os.environ
KILLS = 40 if LONG else 5  # of teacher and of student, by turns with 2 workers
SUBJECT = "interruptions"
NOTHING = "nothing: the same weights, predictions and log"
DAMAGES = ["empty", "half", "missing", "meta"] if LONG else ["half", "meta"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def undisturbed(corpus, tiny_wav2vec2, tmp_path_factory):
    """Teacher and student without an interruption, and the time they took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    runs = KilledRuns(corpus, tiny_wav2vec2, folder)
    runs.seconds = {}
    for system in ("teacher", "student"):
        report = folder / "seconds"
        assert runs.run(system, report=report) == 0, runs.log(system)[-2000:]
        runs.seconds[system] = float(report.read_text())
    return runs


@pytest.fixture
def again(corpus, tiny_wav2vec2, undisturbed, tmp_path):
    """The same runs in another folder; a student's teacher is there."""

    def make(system, **options):
        if system != "teacher":
            there = tmp_path / "teacher" / "1986" / "fold_1"
            shutil.copytree(
                undisturbed.folder("teacher"),
                there,
                ignore=shutil.ignore_patterns("targets", ".targets*"),
            )
        runs = KilledRuns(corpus, tiny_wav2vec2, tmp_path)
        runs.options.update(options)
        return runs

    return make


@pytest.mark.parametrize("system", ["teacher", "student"])
def test_a_run_that_is_killed_ends_as_one_that_is_not(
    undisturbed, again, tally, system
):
    runs = again(system)
    seconds = undisturbed.seconds[system]
    for n, moment in enumerate(moments(KILLS, seconds, seed=1)):
        runs.options["num_workers"] = workers = 2 * (n % 2)
        # what was learned before a kill is not learned again, so that it may end
        while (status := runs.run(system, kill_at=moment)) == 0:
            shutil.rmtree(runs.folder(system))
            moment *= 0.8
        assert status == -signal.SIGPROF, runs.log(system)[-2000:]
        kind = f"killed at a random moment, {system}, {workers} workers"
        tally.count(SUBJECT, kind, NOTHING)
    assert runs.run(system) == 0, runs.log(system)[-2000:]
    assert_equal(runs.outcome(system), undisturbed.outcome(system))


def test_sigterm_saves_and_ends_with_the_status_of_a_requeue(
    undisturbed, again, tally
):
    runs = again("teacher", ckpt_interval_steps=0, number_of_epochs=60)
    pid = runs.start("teacher")
    log = runs.folder("teacher") / "train_log.txt"
    while not log.exists():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), runs.log("teacher")
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    assert wait(pid) == STOPPED, runs.log("teacher")[-2000:]
    metas = [
        path.read_text()
        for path in runs.folder("teacher").glob("save/*/CKPT.yaml")
    ]
    assert any("end-of-epoch: false" in meta for meta in metas)
    assert "the same command goes on" in runs.log("teacher")
    tally.count(SUBJECT, "SIGTERM", "nothing: saved, status 75")


def test_a_second_process_is_refused_and_a_dead_one_is_not_waited_for(
    undisturbed, again, tally
):
    runs = again("teacher", num_workers=2, number_of_epochs=60)
    pid = runs.start("teacher")
    while not (runs.folder("teacher") / "train_log.txt").exists():
        time.sleep(0.01)
    assert runs.run("teacher") == 2
    refusal = runs.log("teacher").partition("error: ")[2]
    assert f"process {pid} on {os.uname().nodename} works there" in refusal
    os.kill(pid, signal.SIGKILL)
    wait(pid)
    # the workers of a killed process may live on for seconds
    pid = runs.start("teacher")
    time.sleep(1)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), runs.log("teacher")[-800:]
    os.kill(pid, signal.SIGKILL)
    wait(pid)
    tally.count(SUBJECT, "a second process in a run's folder", "refused")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(
    undisturbed, again, tally, damage
):
    runs = again("teacher")
    there = runs.folder("teacher")
    shutil.copytree(undisturbed.folder("teacher"), there)
    newest = sorted(there.glob("save/CKPT+*"))[-1]
    path = newest / ("CKPT.yaml" if damage == "meta" else "optimizer.ckpt")
    if damage == "missing":
        path.unlink()
    elif damage == "half":
        os.truncate(path, path.stat().st_size // 2)
    else:
        path.write_bytes(b"")
    assert runs.run("teacher") == 0, runs.log("teacher")[-2000:]
    aside = there / "save" / f"damaged-{newest.name}"
    assert aside.is_dir() and f"set aside as {aside.name}" in runs.log(
        "teacher"
    )
    assert_equal(runs.outcome("teacher"), undisturbed.outcome("teacher"))
    kind = f"newest checkpoint damaged: {damage}"
    tally.count(SUBJECT, kind, "set aside; " + NOTHING)


def test_folds_that_are_prepared_together_never_touch_one_another(
    undisturbed, again, tally
):
    runs = again("teacher")
    folds = [runs.start("teacher", fold=fold) for fold in (1, 2)]
    assert [wait(pid) for pid in folds] == [0, 0], runs.log("teacher")[-2000:]
    assert_equal(runs.outcome("teacher"), undisturbed.outcome("teacher"))
    kind = "two folds prepared together for the first time"
    tally.count(SUBJECT, kind, NOTHING)
