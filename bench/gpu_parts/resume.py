"""A training of the recipe's scripts that is killed and goes on.

Authors
 * The MLKD team 2026
"""

import json
import multiprocessing
import os
import pathlib
import re
import runpy
import signal
import sys
import time

from mlkd_brain.files import has_checkpoint

from bench.gpu_parts.workplace import RECIPE, options_of

EPOCHS, WAIT = 3, 120  # epochs; s, for the first one
INTO_THE_NEXT = 0.3  # s after a checkpoint, when the next epoch is under way


def scripts(setup, findings):
    """Teacher, student killed after an epoch and started again, evaluation."""
    results = pathlib.Path(setup.folder) / "killed"
    options = {
        "encoder_hub": "embedded",
        "results_folder": results,
        "number_of_epochs": EPOCHS,
        "num_workers": min(2, setup.size.workers),
        "lr": 0.0004,
    }
    run = results / "student" / "1986" / "fold_1"
    teacher = start(setup, "train_teacher.py", "teacher", options)
    findings.check("the teacher's script ends well", ended_well(teacher))
    kill(start(setup, "train_student.py", "student", options), run)
    before = epochs_in(run)
    findings.check(
        "SIGKILL ends the student's script early", before != expected(), before
    )
    again = start(setup, "train_student.py", "student", options)
    findings.check("the student's script goes on", ended_well(again))
    after = epochs_in(run)
    findings.check("each epoch is logged once", after == expected(), after)
    scored = start(setup, "evaluate.py", "student", options)
    findings.check("its evaluation ends well", ended_well(scored))
    for name in ("complexity", "protocol"):
        if (run / f"{name}.json").is_file():
            findings.note(name, json.loads((run / f"{name}.json").read_text()))


def expected():
    """The epochs of a whole training."""
    return list(range(1, EPOCHS + 1))


def start(setup, script, yaml, options):
    """A script of the recipe in a process whose imports are done already."""
    words = [f"hparams/{yaml}.yaml", *options_of(setup, yaml, **options)]
    process = multiprocessing.get_context("fork").Process(
        target=_run_script, args=(script, words)
    )
    process.start()
    return process


def _run_script(script, words):
    os.chdir(RECIPE)
    sys.path.insert(0, str(RECIPE))
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")


def ended_well(process):
    """Wait for a script; whether it was content."""
    process.join()
    return process.exitcode == 0


def kill(process, run):
    """SIGKILL a training once it has a checkpoint and is in the next epoch."""
    deadline = time.monotonic() + WAIT
    while process.is_alive() and not has_checkpoint(run):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    time.sleep(INTO_THE_NEXT)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def epochs_in(run):
    """Numbers of the epochs that train_log.txt has a line for."""
    log = run / "train_log.txt"
    text = log.read_text() if log.is_file() else ""
    return [int(n) for n in re.findall(r"^epoch: (\d+)", text, re.MULTILINE)]
