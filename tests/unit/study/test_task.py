"""A script's life is tied to that of the worker that started it."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help")
def test_a_script_ends_when_its_worker_is_killed(tmp_path):
    (tmp_path / "sleep.py").write_text("import time; time.sleep(60)")
    worker = f"""
import pathlib, time
from mlkd_brain.study.definition import Run
from mlkd_brain.study.task import start
folder = pathlib.Path({str(tmp_path)!r})
run = Run("s", 1, 1, "sleep.py", "", (), folder)
job = {{"run": run, "recipe": folder, "environment": {{}}}}
print(start(["sleep.py"], job).pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", worker], stdout=subprocess.PIPE, text=True
    ) as process:
        script = int(process.stdout.readline())
        os.kill(script, 0)  # it is there
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_alive(script) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(script)


def is_alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
