"""What the options of a training and of an inference change.

Authors
 * The MLKD team 2026
"""

import statistics
import time

import numpy as np
import torch
from speechbrain.dataio.batch import PaddedBatch

from bench.gpu_parts.rates import Stopwatch
from bench.gpu_parts.workplace import fold_of
from bench.lengths import dataset_of, iemocap_like
from bench.loops import OurLoop, teacher_and_student
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.data.samplers import LengthBucketSampler

BATCH, LONGEST = 8, 34.1  # utterances, s
WARM, TIMED = 3, 10
MEAN = 4.5  # s, of an utterance


def ready_batches(setup, count):
    """Some batches of an epoch, built."""
    durations = setup.size.shorter * iemocap_like(count * BATCH)
    dataset = dataset_of(durations)
    batches = LengthBucketSampler(durations, BATCH, 0.2, seed=1)
    return [PaddedBatch([dataset[i] for i in batch]) for batch in batches]


def longest_batch(setup):
    """As many of IEMOCAP's longest utterance as a batch has."""
    dataset = dataset_of(np.full(BATCH, setup.size.shorter * LONGEST))
    return PaddedBatch([dataset[i] for i in range(BATCH)])


def loop_of(setup, precision, change=None):
    """This project's step, of a student to which something was done."""
    dataset = dataset_of([1.0])
    loop = OurLoop(f"{setup.folder}/encoder", dataset, setup.device, precision)
    if change:
        change(loop.brain)
    return loop


def checkpointed(brain):
    """As ``gradient_checkpointing: True`` does."""
    brain.modules["model"].encoder.model.gradient_checkpointing_enable(
        {"use_reentrant": False}
    )


def accumulating(brain):
    """As ``--grad_accumulation_factor 2`` does."""
    brain.grad_accumulation_factor = 2


CHANGES = {
    "as it is": None,
    "gradient checkpointing": checkpointed,
    "two batches a step": accumulating,
}


def memory(setup, findings):
    """Time and peak memory of an epoch's batches, and of the longest batch."""
    batches, longest = ready_batches(setup, TIMED), longest_batch(setup)
    for precision in ("fp32", "bf16"):
        reference = None
        for name, change in CHANGES.items():
            loop = loop_of(setup, precision, change)
            for batch in batches:
                loop.learn(batch)
            with Stopwatch(setup.device) as watch:
                for batch in batches:
                    loop.learn(batch)
            with Stopwatch(setup.device) as peak:
                loop.learn(longest)
                loop.learn(longest)
            values = (1000 * watch.seconds / len(batches), peak.memory / 1000)
            reference = reference or values
            for what, unit, value, beside in zip(
                ("step", "peak memory, 8 of the longest"),
                ("ms", "GB"),
                values,
                reference,
            ):
                findings.add(
                    f"{what}: {precision}, {name}", unit, value, "as it is", beside
                )
            del loop


def compiled(setup, findings):
    """This project's step through ``torch.compile``."""
    batches = ready_batches(setup, TIMED)
    torch._dynamo.config.cache_size_limit = 64

    def compile_student(brain):
        brain.modules["model"].compile(dynamic=True)

    for name, change in (("as it is", None), ("compiled", compile_student)):
        loop = loop_of(setup, "bf16", change)
        with Stopwatch(setup.device) as first:
            for batch in batches:
                loop.learn(batch)
        with Stopwatch(setup.device) as watch:
            for batch in batches:
                loop.learn(batch)
        step = 1000 * watch.seconds / len(batches)
        reference = step if change is None else reference
        findings.add(f"step: bf16, {name}", "ms", step, "as it is", reference)
        findings.add(f"first {len(batches)} steps: bf16, {name}", "s", first.seconds)
    findings.note("graph breaks", graph_breaks())


def graph_breaks():
    """Why ``torch.compile`` had to return to Python, and how often."""
    counters = torch._dynamo.utils.counters
    return {str(k)[:200]: n for k, n in counters["graph_break"].most_common(20)}


def inference(setup, findings):
    """Teacher and student, one utterance and 32 at once."""
    models = teacher_and_student(f"{setup.folder}/encoder", setup.device)
    for name, model in zip(("teacher", "student"), models):
        model.eval()
        for count in (1, 32):
            reference = None
            for precision in ("float32", "bf16"):
                seconds = _infer(setup, model, count, precision)
                reference = reference or seconds
                findings.add(
                    f"inference: {name}, {count} x {MEAN} s, {precision}",
                    "ms",
                    1000 * seconds,
                    "float32",
                    1000 * reference,
                )


def _infer(setup, model, count, precision):
    samples = round(setup.size.shorter * MEAN * SAMPLE_RATE)
    wavs = 0.1 * torch.randn(count, samples, device=setup.device)
    half = torch.autocast(setup.device, torch.bfloat16, precision == "bf16")
    taken = []
    with torch.inference_mode(), half:
        for _ in range(WARM + TIMED):
            start = time.perf_counter()
            model(wavs).logits.cpu()
            taken.append(time.perf_counter() - start)
    return statistics.median(taken[WARM:])


def grid(setup, findings):
    """The evaluation's noise grid beside plain forward passes."""
    hparams, _, _ = fold_of(setup, "student", "grid")
    grid = hparams["noise_grid"](hparams["noise_bank"])
    model = hparams["model"].to(setup.device).eval()
    manifest = read_manifest(f"{hparams['output_folder']}/test.csv")
    if setup.size.shorter == 1:
        manifest = manifest.iloc[:: len(manifest) // 32]
    conditions = len(grid.conditions)
    forward_passes(model, manifest, 1, setup.device)
    with Stopwatch(setup.device) as plain:
        forward_passes(model, manifest, conditions, setup.device)
    with Stopwatch(setup.device) as watch:
        grid.predict(model, manifest, hparams["data_folder"], setup.device)
    audio = conditions * float(manifest["duration"].sum())
    name = f"noise grid, {len(manifest)} utterances, {conditions} conditions"
    reference = audio / plain.seconds
    findings.add(
        f"{name}: forward passes", "audio s/s", reference, "forward passes", reference
    )
    findings.add(
        f"{name}: evaluation",
        "audio s/s",
        audio / watch.seconds,
        "forward passes",
        reference,
    )


def forward_passes(model, manifest, conditions, device):
    """The model alone, as often as there are conditions."""
    lengths = np.sort((manifest["duration"] * SAMPLE_RATE).round().astype(int))
    with torch.inference_mode():
        for start in range(0, len(lengths), BATCH):
            samples = torch.tensor(lengths[start : start + BATCH])
            wavs = 0.1 * torch.randn(len(samples), int(samples.max()))
            shares = (samples / wavs.shape[1]).to(device)
            for _ in range(conditions):
                model(wavs.to(device), shares).logits.cpu()
