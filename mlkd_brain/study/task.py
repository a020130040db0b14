"""One run of a study, as Ray executes it: the ordinary scripts, and a stamp.

Nothing heavy is imported: this is loaded by every worker of Ray.

Authors
 * The MLKD team 2026
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import ray

from mlkd_brain.files import locked, write_json

STAMP = "study.json"
LOG = "console.log"
BAD_INPUT = 2  # exit status of mlkd_brain.errors.cli_errors


class RunFailed(RuntimeError):
    """A script ended with an error; worth another try."""


class RunRefused(RuntimeError):
    """A script refused its input; another try would end alike."""


def read_stamp(folder):
    """What a study last said of a run; an empty dict if it never ran.

    Arguments
    ---------
    folder : pathlib.Path
        Of the run.

    Returns
    -------
    dict
        ``state`` ("running", "stopped", "failed" or "finished"), ``content``,
        ``study``, ``node``, ``pid``, ``attempts`` and ``seconds`` spent on it.
    """
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def execute(job, *needed):
    """Train and evaluate, unless that is done; the stamp is written last.

    Arguments
    ---------
    job : dict
        ``run`` (Run), ``content`` (see ``mlkd_brain.study.content``), ``redo``
        (whether to start anew when the content is another), ``recipe``
        (folder), ``environment`` (variables of the scripts) and ``study`` (its
        name).
    *needed
        Results that Ray waits for.

    Raises
    ------
    RunFailed
        If a script ends with an error.
    RunRefused
        If a script refuses its input.
    """
    folder = job["run"].folder
    # a second study waits here, and then finds the run finished
    with locked(folder):
        stamp = read_stamp(folder)
        same = stamp.get("content") == job["content"]
        if same and stamp["state"] == "finished":
            return
        if job["redo"] and stamp and not same:
            shutil.rmtree(folder)
            stamp = {}
        _attempt(job, stamp)


def _attempt(job, stamp):
    run, started = job["run"], time.monotonic()
    run.folder.mkdir(parents=True, exist_ok=True)

    def say(state, **facts):
        seconds = time.monotonic() - started + stamp.get("seconds", 0)
        said = {
            "state": state,
            "study": job["study"],
            "node": ray.get_runtime_context().get_node_id(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "attempts": stamp.get("attempts", 0) + 1,
            "seconds": round(seconds, 1),
            **facts,
            "content": job["content"],
        }
        write_json(said, run.folder / STAMP)

    say("running")
    try:
        for script in (run.script, "evaluate.py"):
            _call([script, *run.options], job)
    except RuntimeError as error:
        say("failed", error=str(error))
        raise
    except BaseException:
        say("stopped")
        raise
    say("finished")


def validate(job):
    """Score a trained run on its validation speaker; see ``execute``."""
    _call(["-m", "mlkd_brain", "validate", *job["run"].options], job)


def _call(words, job):
    """Run a script to its end."""
    process = start(words, job)
    try:
        while process.poll() is None:
            time.sleep(0.1)  # Ray's cancelling does not interrupt a wait
    except BaseException:
        end(process)
        raise
    refuse_failure(process, words, job)


def start(words, job):
    """Start a script, its output appended to the run's log.

    Arguments
    ---------
    words : list of str
        The script and its options.
    job : dict
        ``run``, ``recipe`` and ``environment``, see ``execute``.

    Returns
    -------
    subprocess.Popen
        It ends when we do.
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
            preexec_fn=_end_with_parent,
        )


def end(process):
    """End a script and what it started: whatever it writes is whole."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def refuse_failure(process, words, job):
    """Raise what the exit status of a script says, with its last words."""
    if process.returncode:
        refused = process.returncode == BAD_INPUT
        said = last_line(job["run"].folder / LOG)
        raise (RunRefused if refused else RunFailed)(
            f"{said} ({words[0]} ended with {process.returncode})"
        )


try:
    _prctl = ctypes.CDLL(None).prctl
except (AttributeError, OSError, TypeError):  # no Linux
    _prctl = None


def _end_with_parent():
    """Ask the kernel to end a script when its worker of Ray is killed.

    Otherwise it would go on beside the one that replaces it.
    """
    if _prctl is not None:
        pr_set_pdeathsig = 1
        _prctl(pr_set_pdeathsig, signal.SIGKILL)


def last_line(path):
    """The last line of a log that says something."""
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
