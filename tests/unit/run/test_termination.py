"""Which processes end when a training does."""

import multiprocessing
import os
import signal
import time

import pytest
from mlkd_brain.run.termination import live_with_main

LINUX = pytest.mark.skipif(
    not os.path.isdir("/proc/self"),
    reason="Linux alone tells of a parent's end",
)


def worker(pipe, killed_first):
    if killed_first:
        time.sleep(0.3)
    live_with_main(0)
    os.kill(os.getpid(), signal.SIGTERM)  # which it survives
    pipe.send(os.getpid())
    signal.pause()


def training(pipe, killed_first):
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=worker, args=(pipe, killed_first))
    process.start()
    if killed_first:
        pipe.send(process.pid)
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


@LINUX
@pytest.mark.parametrize("killed_first", [False, True])
def test_a_worker_ends_with_its_training_and_not_by_sigterm(killed_first):
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    main = fork.Process(target=training, args=(theirs, killed_first))
    main.start()
    pid = ours.recv()
    os.kill(main.pid, signal.SIGKILL)
    main.join()
    end = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(pid)


def is_alive(pid):
    """Not gone, and no zombie that nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
