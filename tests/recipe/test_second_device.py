"""The recipe's scripts on a device that is not the CPU, as on a GPU.

No machine of the tests has one; see ``second_device`` for what stands in.
"""

import json
import pathlib
import subprocess
import sys

import pytest
import second_device
from workplace import make_workplace

#: Students, and other ways to train one.
STUDENTS = {
    "student_balanced": ("student_balanced", {}),
    "masked": (
        "student_unsupervised",
        {"time_masks": 1, "feature_masks": 1, "class_weights": "balanced"},
    ),
    "no_cache": (
        "student",
        {"teacher_cache": "none", "grad_accumulation_factor": 2},
    ),
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, twelve_blocks):
    place = make_workplace(tmp_path_factory.mktemp("workplace"), twelve_blocks)
    run(place, "train_teacher.py", "teacher")
    return place


def run(workplace, script, yaml, **options):
    """As a user does: the device is the one that is there."""
    words = workplace.words(yaml, options)
    return workplace.call(
        sys.executable, second_device.__file__, script, *words
    )


def last_epoch(workplace, system):
    log = (workplace.of(system) / "train_log.txt").read_text().splitlines()
    return int(log[-1].split(",")[0].removeprefix("epoch: "))


def test_the_device_refuses_what_a_gpu_refuses():
    probe = (
        "import torch, second_device as d; library = d.install(); "
        "there = torch.ones(2, device=d.NAME); print((2 * there).cpu().sum()); "
        "torch.stack([there.sum(), torch.ones(())])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=pathlib.Path(second_device.__file__).parent,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "tensor(4.)\n"
    assert "takes tensors of one device, found two" in done.stderr


def test_a_student_is_trained_resumed_and_scored(workplace):
    run(workplace, "train_student.py", "student")
    run(workplace, "train_student.py", "student", number_of_epochs=3)
    assert last_epoch(workplace, "student") == 3
    run(workplace, "evaluate.py", "student", number_of_epochs=3)
    folder = workplace.of("student")
    protocol = json.loads((folder / "protocol.json").read_text())
    assert protocol["device"] == second_device.NAME
    assert (folder / "predictions.csv").is_file()


@pytest.mark.parametrize("system", STUDENTS)
def test_other_students_are_trained(workplace, system):
    yaml, options = STUDENTS[system]
    run(workplace, "train_student.py", yaml, system=system, **options)
    assert last_epoch(workplace, system) == 2
