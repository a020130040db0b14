"""A process that is timed, beside others that take their turns.

Each contestant has a process of its own, for its memory; they run in turn, one
at a time, so that a busy machine slows all of them alike.

Authors
 * The MLKD team 2026
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import torch

THREADS = 2


class Contestant:
    """A worker process, seen from outside.

    It answers with one line of JSON when it is ready, to each line on its
    standard input, and at the end of it.

    Arguments
    ---------
    module : str
        That is run.
    *words : str
        Its arguments.
    """

    def __init__(self, module, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
        )
        self.ready = self._hear()
        self.answers = []

    def _hear(self):
        for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                return json.loads(line)  # libraries print, too
        raise RuntimeError(f"{self.process.args} ended early")

    def run(self):
        """Have it do its work once, and note its answer."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.answers.append(self._hear())

    def finish(self):
        """End it; its last answer."""
        self.process.stdin.close()
        last = self._hear()
        self.process.wait()
        return last


def say(**facts):
    """One line of JSON to the parent."""
    print(json.dumps(facts), flush=True)


def peak_megabytes(device="cpu"):
    """Largest memory of this process so far, there or on its GPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    # getrusage's maximum survives exec: it would be the parent's
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(
        "/proc/self/status has no VmHWM; peak memory needs Linux."
    )
