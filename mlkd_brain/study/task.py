"""One run of a study as a task of Ray: the recipe's scripts, and their state.

Every worker of Ray loads this module, so it imports nothing heavy.

Authors
 * The MLKD team 2026
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import ray
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked, write_json
from mlkd_brain.run.termination import end_with_parent

STATE_FILE = "study.json"  # in the folder of a run
LOG = "console.log"  # beside it: what the scripts print
GRACE = 10  # s, for a script to save after SIGTERM
BAD_INPUT = 2  # exit status of mlkd_brain.errors.cli_errors


class RunFailed(RuntimeError):
    """A script ended with an error; worth another try."""


def read_state(folder: pathlib.Path) -> dict[str, Any]:
    """The state of a run, as a study last wrote it.

    Arguments
    ---------
    folder : pathlib.Path
        Of the run.

    Returns
    -------
    dict
        ``state`` is "running", "stopped", "failed" or "finished"; the other
        keys are in ``_attempt``. Empty if the run never began.
    """
    try:
        return json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def execute(job: dict[str, Any], *_dependency: Any) -> None:
    """Train and evaluate, unless that is done; "finished" is written last.

    Arguments
    ---------
    job : dict
        ``run`` (Run), ``content`` (see ``mlkd_brain.study.content``), ``redo``
        (whether to start anew if the folder has another content), ``recipe``
        (folder), ``environment`` (variables of the scripts) and ``study`` (its
        name).
    *_dependency
        Result of the task that Ray waits for first.

    Raises
    ------
    RunFailed, InputError
        If a script ends with an error, or refuses its input.
    """
    folder = job["run"].folder
    # a second study waits here, and then finds the run finished
    with locked(folder):
        before = read_state(folder)
        same = before.get("content") == job["content"]
        if same and before["state"] == "finished":
            return
        if job["redo"] and before and not same:
            shutil.rmtree(folder)
            before = {}
        _attempt(job, before)


def _attempt(job: dict[str, Any], before: dict[str, Any]) -> None:
    run = job["run"]
    started = time.monotonic() - before.get("seconds", 0)
    run.folder.mkdir(parents=True, exist_ok=True)

    def write_state(state, **facts):
        facts = {
            "state": state,
            "study": job["study"],
            "node": ray.get_runtime_context().get_node_id(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "attempts": before.get("attempts", 0) + 1,
            "seconds": round(time.monotonic() - started, 1),
            **facts,
            "content": job["content"],
        }
        write_json(facts, run.folder / STATE_FILE)

    write_state("running")
    try:
        for script in (run.script, "evaluate.py"):
            _call([script, *run.options], job)
    except (RunFailed, InputError) as error:
        write_state("failed", error=str(error))
        raise
    except BaseException:
        write_state("stopped")
        raise
    write_state("finished")


def validate(job: dict[str, Any]) -> None:
    """Score a trained run on its validation speaker; see ``execute``."""
    _call(["-m", "mlkd_brain", "validate", *job["run"].options], job)


def _call(words: list[str], job: dict[str, Any]) -> None:
    """Run a script to its end."""
    process = start(words, job)
    try:
        while process.poll() is None:
            time.sleep(0.1)  # Ray cannot interrupt process.wait()
    except BaseException:
        stop(process)
        raise
    raise_failure(process, words, job)


def start(words: list[str], job: dict[str, Any]) -> subprocess.Popen:
    """Start a script; it appends to the run's log, and ends when we do.

    Arguments
    ---------
    words : list of str
        The script and its options.
    job : dict
        ``run``, ``recipe`` and ``environment``, see ``execute``.
    """
    job["run"].folder.mkdir(parents=True, exist_ok=True)
    with open(job["run"].folder / LOG, "ab") as log:
        log.write(f"\n$ python {' '.join(words)}\n".encode())
        log.flush()
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=job["recipe"],
            env={**os.environ, **job["environment"]},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # otherwise it would run on beside the one that replaces it
            preexec_fn=end_with_parent,
        )


def stop(process: subprocess.Popen) -> None:
    """Have a training save where it is, if that is soon; then kill it."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    kill(process)


def kill(process: subprocess.Popen) -> None:
    """Kill a script and its children; no file of theirs is left half written."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def raise_failure(
    process: subprocess.Popen, words: list[str], job: dict[str, Any]
) -> None:
    """Raise an error, with the log's last line, if a script ended with one.

    Arguments
    ---------
    process : subprocess.Popen
        May still run, after its last ``poll``.
    words, job
        See ``start``.
    """
    if process.returncode:
        log = job["run"].folder / LOG
        text = log.read_text(encoding="utf-8", errors="replace")
        refused = process.returncode == BAD_INPUT
        raise (InputError if refused else RunFailed)(
            f"{text.strip().splitlines()[-1].strip()} "
            f"({words[0]} ended with {process.returncode})"
        )
