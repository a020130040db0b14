"""Distillation as it is usually written, beside this project's.

    python -m bench.training

The reference runs the teacher at every step, on plain random batches of 8, in
float32. Utterances are as long as IEMOCAP's (``bench.lengths``); each loop
takes a sample of the batches of an epoch, in turn with the others, each in a
process of its own. What counts is seconds of audio, without padding, a second.

Authors
 * The MLKD team 2026
"""

import argparse
import functools
import itertools
import os
import sys
import tempfile
import time
from collections import namedtuple

import torch
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.method.teacher_cache import TeacherCache
from tqdm import tqdm

from bench.contestant import THREADS, Contestant, peak_megabytes, say
from bench.lengths import dataset_of, iemocap_like, padding_of, sample_of
from bench.loops import OurLoop, PlainLoop, save_encoder
from bench.results import add, markdown, row

SPREAD = 0.2  # of the lengths in a batch, as in the yaml
EPOCHS, FEW = 200, 10  # over which the cache's cost is spread
REFERENCE, CACHED, OURS = "reference", "the cache alone", "this project"

Loop = namedtuple("Loop", "spread cache make")
LOOPS = {
    REFERENCE: Loop(None, "none", PlainLoop),
    CACHED: Loop(None, "disk", PlainLoop),
    "batches of like length alone": Loop(SPREAD, "none", PlainLoop),
    "the reference with the frozen convs' graph": Loop(
        None, "none", functools.partial(PlainLoop, keeps_conv_graph=True)
    ),
    OURS: Loop(SPREAD, "disk", OurLoop),
    f"{OURS}, bf16": Loop(
        SPREAD, "disk", functools.partial(OurLoop, precision="bf16")
    ),
}
#: wav2vec 2.0's conv encoder: 50 frames a second.
CONVS = {
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "num_feat_extract_layers": 7,
}
#: What differs from the embedded encoder's configuration.
WIDE = {
    **CONVS,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "conv_dim": [128] * 7,
    "num_conv_pos_embeddings": 64,
}
BASE = {
    **CONVS,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "conv_dim": [512] * 7,
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 128,
}
ENCODERS = {"embedded": {}, "256 wide": WIDE, "base": BASE}


def epoch_of(name, durations):
    """The batches of an epoch, places of utterances."""
    return list(LengthBucketSampler(durations, 8, LOOPS[name].spread, seed=1))


def batches_of(name, durations, count):
    """Some batches of an epoch, from short to long; of 1, the longest."""
    batches = epoch_of(name, durations)
    if count == 1:
        return [max(batches, key=lambda batch: durations[batch].max())]
    return sample_of(batches, durations, count)


def worker(name, folder, count):
    """A loop that takes a step for each line on standard input."""
    torch.set_num_threads(THREADS)
    # as the recipes' scripts do, see mlkd_brain.run.experiment
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "8"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    durations = iemocap_like()
    batches = batches_of(name, durations, count)
    # the utterances of these batches are all there is
    heard = [place for batch in batches for place in batch]
    dataset = dataset_of(durations[heard])
    loop = LOOPS[name].make(f"{folder}/encoder", dataset, device)
    cache = TeacherCache(LOOPS[name].cache, "float32", f"{folder}/{name}")
    start = time.perf_counter()
    cache.attach(dataset, loop.target_teacher, batch_size=8)
    say(cache=(time.perf_counter() - start) / float(durations[heard].sum()))
    places = iter(range(len(heard)))
    for batch in batches:
        sys.stdin.readline()
        mine = list(itertools.islice(places, len(batch)))
        if count > 1 and batch is batches[0]:
            loop.step(mine)  # chooses kernels
        start = time.perf_counter()
        loop.step(mine)
        took = time.perf_counter() - start
        say(seconds=took, audio=float(durations[batch].sum()))
    say(memory=peak_megabytes(device))


def speeds(names, folder, count):
    """Seconds a second of audio takes, and the cache's share, by name."""
    contestants = {
        name: Contestant(
            "bench.training", "--worker", name, folder, "--batches", str(count)
        )
        for name in names
    }
    for _ in tqdm(range(count), unit="batch of each"):
        for contestant in contestants.values():
            contestant.run()
    taken = {}
    for name, contestant in contestants.items():
        contestant.finish()
        answers = contestant.answers
        audio = sum(answer["audio"] for answer in answers)
        seconds = sum(answer["seconds"] for answer in answers)
        taken[name] = (seconds / audio, contestant.ready["cache"])
    return taken


def memory(name, folder):
    """Peak of a process that learns from the largest batch of all, MB."""
    contestant = Contestant(
        "bench.training", "--worker", name, folder, "--batches", "1"
    )
    contestant.run()
    return contestant.finish()["memory"]


def rows_of_speed(encoder, taken):
    """Rows for bench/results.json, each beside the reference.

    Example
    -------
    >>> taken = {REFERENCE: (0.4, 0.0), OURS: (0.09, 2.0)}
    >>> for r in rows_of_speed("small", taken):
    ...     print(r["name"], round(r["value"], 1), round(r["ratio"], 1))
    training, small: reference 2.5 1.0
    training, small: this project 10.0 4.0
    training, small: this project, 10 epochs 3.4 1.4
    """
    reference = 1 / taken[REFERENCE][0]
    made = []
    for name, (step, cache) in taken.items():
        for epochs in (EPOCHS, FEW) if name == OURS else (EPOCHS,):
            made.append(
                row(
                    f"training, {encoder}: {name}"
                    + (f", {epochs} epochs" if epochs == FEW else ""),
                    "audio s/s",
                    1 / (step + cache / epochs),
                    REFERENCE,
                    reference,
                )
            )
    return made


def rows_of_padding():
    """How much longer the batches of a whole epoch are than their audio."""
    durations = iemocap_like()
    found = {
        name: padding_of(epoch_of(name, durations), durations)
        for name in (REFERENCE, OURS)
    }
    return [
        row(
            f"training: padding, {name}",
            "x",
            value,
            REFERENCE,
            found[REFERENCE],
        )
        for name, value in found.items()
    ]


def main(argv=None):
    """Measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS)
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FOLDER"))
    options = parser.parse_args(argv)
    if options.worker:
        return worker(*options.worker, options.batches)
    made = rows_of_padding()
    here = ["base"] if torch.cuda.is_available() else ["embedded", "256 wide"]
    for encoder in options.encoders or here:
        with tempfile.TemporaryDirectory() as folder:
            save_encoder(f"{folder}/encoder", ENCODERS[encoder])
            names = (REFERENCE, OURS) if encoder == "embedded" else LOOPS
            made += rows_of_speed(
                encoder, speeds(names, folder, options.batches)
            )
            peaks = {n: memory(n, folder) for n in (REFERENCE, OURS)}
        made += [
            row(
                f"training, {encoder}: peak memory, {name}",
                "MB",
                value,
                REFERENCE,
                peaks[REFERENCE],
            )
            for name, value in peaks.items()
        ]
    add(made)
    print(markdown(made))


if __name__ == "__main__":
    main()
