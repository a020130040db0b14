"""Steps of the base size on a CPU, with as many threads as a laptop has cores.

Authors
 * The MLKD team 2026
"""

import os

import torch

from bench.gpu_parts.options import learn, ready_batches
from bench.gpu_parts.rates import Stopwatch
from bench.loops import OurLoop, TeacherLoop

THREADS = min(4, os.cpu_count() or 1)  # a laptop's
STEPS = 3


def processor(setup, findings):
    """A teacher's and a student's step in float32, the first one left out."""
    torch.set_num_threads(THREADS)
    findings.note("threads", THREADS)
    setup = setup._replace(device="cpu")
    taken = {}
    for name, make in (("student", OurLoop), ("teacher", TeacherLoop)):
        loop = make(f"{setup.folder}/encoder", None, "cpu")
        batches = ready_batches(setup, STEPS, loop)
        learn(loop, batches[:1])
        with Stopwatch("cpu") as watch:
            learn(loop, batches[1:])
        taken[name] = watch.seconds / (STEPS - 1)
        findings.add(f"CPU, {THREADS} threads: {name}", "s a step", taken[name])
        findings.note("seconds a step", taken)
        del loop
