"""Runs the parts of a measurement, each in a process and a time of its own.

A part that fails, hangs or is killed costs the others nothing, and what it had
found by then is kept. The processes are forked, so that the libraries are
imported once; the parent never touches the GPU.

Authors
 * The MLKD team 2026
"""

import json
import multiprocessing
import os
import pathlib
import signal
import sys
import time
import traceback
from collections import namedtuple

from mlkd_brain.files import write_json

from bench.results import row

#: A name, a function of (setup, findings), and how long it may take, s.
Part = namedtuple("Part", "name function seconds")
FORK = "fork"
SHORTEST = 2.0  # s; with less left a part is not started
DONE, FAILED, STOPPED, SKIPPED = "done", "failed", "out of time", "not run"


class Findings:
    """What a part has found so far, on disk as soon as it is found.

    Arguments
    ---------
    path : pathlib.Path
        One line of JSON a finding; of rows with one name the last counts.

    Example
    -------
    >>> findings = Findings(getfixture("tmp_path") / "part.jsonl")
    >>> findings.add("step", "ms", 8.0, "plain", 40.0)
    >>> findings.note("kernels", 900)
    >>> [r["ratio"] for r in read_findings(findings.path)["rows"]]
    [0.2]
    >>> read_findings(findings.path)["notes"]
    {'kernels': 900}
    """

    def __init__(self, path):
        self.path = path

    def add(self, name, unit, value, reference=None, reference_value=None):
        """A row of the table; see ``bench.results.row``."""
        self._write(row=row(name, unit, value, reference, reference_value))

    def check(self, name, passed, detail=""):
        """Whether something is as it must be, and by how much."""
        self._write(
            check={"name": name, "passed": bool(passed), "detail": detail}
        )

    def note(self, name, value):
        """Plain data that stands in the JSON alone."""
        self._write(note=[name, value])

    def _write(self, **finding):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(finding) + "\n")


def read_findings(path):
    """What a part has found; a line that was cut off is passed over."""
    found = {"row": {}, "check": {}, "notes": {}}
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            ((kind, value),) = json.loads(line).items()
        except ValueError:
            continue
        if kind == "note":
            found["notes"][value[0]] = value[1]
        else:
            found[kind][value["name"]] = value
    return {
        "rows": list(found["row"].values()),
        "checks": list(found["check"].values()),
        "notes": found["notes"],
    }


class Schedule:
    """Runs parts one after the other, or several at once, until time is up.

    Arguments
    ---------
    setup : bench.gpu_parts.workplace.Setup
        Given to every part.
    seconds : float
        For all of them together.
    path : pathlib.Path
        The JSON that is written after each; the log is beside it.
    """

    def __init__(self, setup, seconds, path):
        self.setup, self.path = setup, path
        self.log = path.with_suffix(".log")
        self.log.write_text("")
        self.started = time.monotonic()
        self.seconds = seconds
        self.result = {"machine": setup.machine, "seconds": 0.0, "parts": {}}

    @property
    def left(self):
        """Seconds that are left."""
        return self.started + self.seconds - time.monotonic()

    def run(self, *parts):
        """Run these at once, to the end or until their time is up."""
        begun = time.monotonic()
        # ``min``: the last ones get what is left
        running = [
            (part, self._start(part), min(part.seconds, self.left))
            for part in parts
            if self._has_time(part)
        ]
        for part, process, seconds in running:
            process.join(max(0.1, begun + seconds - time.monotonic()))
            state = STOPPED if process.is_alive() else DONE
            if process.exitcode not in (None, 0):
                state = FAILED
            stop_group(process.pid)
            process.join()
            self._keep(part, state, time.monotonic() - begun)

    def keep(self, result):
        """Begin with the parts of an earlier run; those run anew are replaced."""
        self.result["parts"].update(result["parts"])

    def _has_time(self, part):
        if self.left >= SHORTEST:
            return True
        self._keep(part, SKIPPED, 0.0)
        return False

    def _findings(self, part):
        return self.path.with_name(f".{part.name}.jsonl")

    def _start(self, part):
        self._findings(part).unlink(missing_ok=True)
        process = multiprocessing.get_context(FORK).Process(
            target=_run,
            args=(part, self.setup, self._findings(part), self.log),
        )
        process.start()
        return process

    def _keep(self, part, state, seconds):
        found = read_findings(self._findings(part))
        self._findings(part).unlink(missing_ok=True)
        # the part that names the card names it for all
        machine = found["notes"].get("machine", self.setup.machine)
        self.setup = self.setup._replace(machine=machine)
        self.result["machine"] = machine
        for found_row in found["rows"]:
            found_row["machine"] = machine
        self.result["seconds"] = round(time.monotonic() - self.started, 1)
        self.result["parts"][part.name] = {
            "state": state,
            "seconds": round(seconds, 1),
            **found,
        }
        write_json(self.result, self.path)
        error = found["notes"].get("error", "")
        print(f"{part.name}: {state}, {seconds:.1f} s {error}", flush=True)


def _run(part, setup, path, log):
    """A part, in its process."""
    os.setpgid(0, 0)  # what it starts ends with it
    with open(log, "a", encoding="utf-8", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    print(f"==== {part.name}", flush=True)
    findings = Findings(path)
    try:
        part.function(setup, findings)
    except BaseException as error:
        traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(last.filename).name}:{last.lineno}"
        findings.note("error", f"{type(error).__name__}: {error} ({where})")
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def stop_group(pid):
    """End a process that leads a group, and what it has started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


class Worker:
    """A forked process that answers orders, one at a time.

    It has its own memory on the GPU; between orders it does nothing.

    Arguments
    ---------
    function : callable
        Of (``next_order``, ``answer``, *arguments); ``next_order()`` waits for
        an order, ``answer(facts)`` sends back plain data.
    *arguments
        Passed on.

    Example
    -------
    >>> def double(next_order, answer):
    ...     while (number := next_order()) is not None:
    ...         answer(2 * number)
    >>> worker = Worker(double)
    >>> worker.ask(4), worker.end()
    (8, None)
    """

    def __init__(self, function, *arguments):
        context = multiprocessing.get_context(FORK)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, function, arguments)
        )
        self.process.start()
        theirs.close()

    def ask(self, order):
        """Give an order and wait for its answer.

        Raises
        ------
        RuntimeError
            If the worker failed.
        """
        self.pipe.send(order)
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            kind, value = "error", f"{self.process.name} ended early"
        if kind == "error":
            raise RuntimeError(value)
        return value

    def end(self):
        """Send it home."""
        self.pipe.send(None)
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()


def _serve(pipe, function, arguments):
    try:
        function(
            pipe.recv, lambda facts: pipe.send(("facts", facts)), *arguments
        )
    except BaseException as error:
        traceback.print_exc()
        pipe.send(("error", f"{type(error).__name__}: {error}"))
        os._exit(1)
    os._exit(0)
