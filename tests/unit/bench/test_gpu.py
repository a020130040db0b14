"""A dry run of the measurements for a GPU, a narrow encoder on the CPU."""

import json
import os
import subprocess
import sys

import pytest
from places import REPOSITORY

from bench.gpu_parts.scheduler import Part, Schedule
from bench.gpu_parts.workplace import SIZES, Setup

PARTS = """card corpus convolutions students parity precisions noise cache
memory inference grid""".split()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The JSON and the table of a dry run."""
    out = tmp_path_factory.mktemp("gpu") / "gpu.json"
    command = [sys.executable, "-m", "bench.gpu", "--size", "tiny"]
    options = ["--device", "cpu", "--out", str(out), "--parts", *PARTS]
    done = subprocess.run(
        [*command, *options],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]
    return json.loads(out.read_text()), out.with_suffix(".md").read_text()


def test_every_part_ends_well(found):
    parts = found[0]["parts"]
    states = {name: part["state"] for name, part in parts.items()}
    assert states == dict.fromkeys(PARTS, "done")


def test_every_check_passes(found):
    checks = [c for p in found[0]["parts"].values() for c in p["checks"]]
    assert len(checks) == 5 and all(check["passed"] for check in checks)


def test_the_loops_see_the_same_audio(found):
    epochs = found[0]["parts"]["students"]["notes"]["epochs"]
    assert len(epochs) == 3
    assert len({loop[0]["audio"] for loop in epochs.values()}) == 1
    assert all(loop[0]["padded"] > loop[0]["audio"] for loop in epochs.values())


def test_the_table_has_rates_and_states(found):
    table = found[1]
    assert "| rate: ours, bf16 |" in table
    assert "| parity | done |" in table


def _fails(setup, findings):
    findings.add("before", "ms", 1.0)
    raise ValueError("the card is on fire")


def _hangs(setup, findings):
    findings.note("begun", True)
    while True:
        pass


def _works(setup, findings):
    findings.check("done", True)


def test_a_part_that_fails_or_hangs_costs_no_other(tmp_path):
    setup = Setup(str(tmp_path), SIZES["tiny"], "cpu", "a machine")
    schedule = Schedule(setup, 60, tmp_path / "gpu.json")
    schedule.run(Part("fails", _fails, 20), Part("hangs", _hangs, 1))
    schedule.run(Part("works", _works, 20))
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    states = [part["state"] for part in parts.values()]
    assert states == ["failed", "out of time", "done"]
    assert parts["fails"]["rows"][0]["value"] == 1.0
    assert "the card is on fire" in parts["fails"]["notes"]["error"]
    assert parts["hangs"]["notes"] == {"begun": True}


def test_no_part_is_started_when_time_is_up(tmp_path):
    setup = Setup(str(tmp_path), SIZES["tiny"], "cpu", "a machine")
    schedule = Schedule(setup, 0, tmp_path / "gpu.json")
    schedule.run(Part("works", _works, 20))
    assert schedule.result["parts"]["works"]["state"] == "not run"
