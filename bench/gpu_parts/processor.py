"""Steps of the base size on a CPU, with as many threads as a laptop has cores.

Authors
 * The MLKD team 2026
"""

import os

import numpy as np
import torch
from mlkd_brain.data.samplers import LengthBucketSampler

from bench.gpu_parts.hours import BATCH
from bench.gpu_parts.options import built, learn
from bench.gpu_parts.rates import Stopwatch
from bench.lengths import dataset_of, iemocap_like
from bench.loops import OurLoop, TeacherLoop

THREADS = min(4, os.cpu_count() or 1)  # a laptop's
STEPS = 3


def processor(setup, findings):
    """A teacher's and a student's step in float32, as an epoch has them."""
    torch.set_num_threads(THREADS)
    findings.note("threads", THREADS)
    setup = setup._replace(device="cpu")
    durations, batches, larger = typical(setup.size.shorter * iemocap_like())
    taken = {}
    for name, make in (("student", OurLoop), ("teacher", TeacherLoop)):
        loop = make(f"{setup.folder}/encoder", None, "cpu")
        ready = built(dataset_of(durations), batches, loop)
        learn(loop, ready[:1])
        with Stopwatch("cpu") as watch:
            learn(loop, ready)
        taken[name] = larger * watch.seconds / STEPS
        findings.add(f"CPU, {THREADS} threads: {name}", "s a step", taken[name])
        findings.note("seconds a step", taken)
        del loop


def typical(durations):
    """Few batches that stand for an epoch's: one of each third by size.

    A few utterances of IEMOCAP's lengths would not: the longest is among them.

    Arguments
    ---------
    durations : numpy.ndarray
        Of the epoch's utterances, seconds.

    Returns
    -------
    durations : numpy.ndarray
        Of the batches' utterances, seconds.
    batches : list of list of int
        Their places, the shortest batch first.
    larger : float
        How many times the padded audio of these batches an epoch's have, on
        average.

    Example
    -------
    >>> durations, batches, larger = typical(iemocap_like())
    >>> [len(batch) for batch in batches], bool(durations.max() < 10)
    ([8, 8, 8], True)
    >>> round(float(larger), 1)
    1.1
    """
    epoch = list(LengthBucketSampler(durations, BATCH, 0.2, seed=1))
    padded = np.array([len(b) * durations[b].max() for b in epoch])
    places = (np.arange(STEPS) + 0.5) / STEPS * len(epoch)
    chosen = np.argsort(padded)[places.astype(int)]
    kept = np.concatenate([durations[epoch[i]] for i in chosen])
    ends = np.cumsum([len(epoch[i]) for i in chosen])
    batches = [b.tolist() for b in np.split(np.arange(len(kept)), ends[:-1])]
    return kept, batches, padded.mean() / padded[chosen].mean()
