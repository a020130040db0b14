"""A study on Ray: shared by two nodes, killed in the middle, given again."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from mlkd_brain.report import report
from mlkd_brain.study.executor import RAY
from mlkd_brain.study.task import read_state
from places import RECIPE
from tiny_encoders import save_encoder
from workplace import make_workplace

pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

SYSTEMS = ["teacher", "student_unsupervised"]  # neither needs the other
EPOCHS = 8  # so many that a kill comes before the end
# a checkpoint does not hold the random state of dropout
NO_DROPOUT = {
    f"{where}_dropout": 0.0
    for where in ("hidden", "attention", "activation", "feat_proj")
}
STUDY = {
    "systems": ",".join(SYSTEMS),
    "folds": 1,
    "cpus_per_run": 1,
    "number_of_epochs": EPOCHS,
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    encoder = save_encoder(
        "wav2vec2", folder / "encoder", num_hidden_layers=12, **NO_DROPOUT
    )
    return make_workplace(folder, encoder)


@pytest.fixture(scope="module")
def two_nodes():
    """Address of a cluster of two raylets with one processor each."""
    node = {
        "num_cpus": 1,
        "object_store_memory": 100 * 2**20,
        "include_dashboard": False,
    }
    os.environ.update(RAY)
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="module")
def undisturbed(workplace, two_nodes):
    """What was printed by a study on two nodes."""
    return workplace.run("run_folds.py", "study", address=two_nodes, **STUDY)


def test_two_nodes_share_the_runs(workplace, undisturbed):
    states = [read_state(workplace.of(system)) for system in SYSTEMS]
    assert [state["state"] for state in states] == ["finished"] * 2
    assert states[0]["node"] != states[1]["node"]
    assert "2 done" in undisturbed.stdout
    assert (workplace.results / "report").is_dir()


def test_a_killed_study_ends_with_the_same_tables(
    workplace, undisturbed, tmp_path
):
    words = workplace.words("study", {**STUDY, "results_folder": tmp_path})
    with subprocess.Popen(
        [sys.executable, "run_folds.py", *words],
        cwd=RECIPE,
        env={**os.environ, **workplace.environment},
        stdout=subprocess.DEVNULL,
    ) as study:
        try:
            for system, of_ray in zip(SYSTEMS, (False, True)):
                kill_amid_training(tmp_path / system / "1986/fold_1", of_ray)
            assert study.wait(timeout=300) == 0
        finally:
            study.terminate()
    for system in SYSTEMS:
        ours, theirs = (
            results / system / "1986" / "fold_1" / "predictions.csv"
            for results in (tmp_path, workplace.results)
        )
        assert ours.read_bytes() == theirs.read_bytes()
        state = read_state(ours.parent)
        assert (state["state"], state["attempts"]) == ("finished", 2)
    assert report(tmp_path) == report(workplace.results)


def kill_amid_training(run, of_ray):
    """Kill the script, or Ray's worker, once an epoch is done."""
    log = run / "train_log.txt"
    while not (log.is_file() and log.read_text().endswith("\n")):
        time.sleep(0.01)
    worker = read_state(run)["pid"]
    children = pathlib.Path(f"/proc/{worker}/task/{worker}/children")
    (script,) = map(int, children.read_text().split())
    os.kill(worker if of_ray else script, signal.SIGKILL)
    assert log.read_text().count("\n") < EPOCHS
