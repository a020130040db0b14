"""What the options of a training and of an inference change.

Authors
 * The MLKD team 2026
"""

import statistics
import time

import numpy as np
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.method.teacher_cache import TeacherCache

from bench.gpu_parts.rates import Stopwatch
from bench.gpu_parts.workplace import fold_of
from bench.lengths import dataset_of, iemocap_like
from bench.loops import OurLoop, teacher_and_student
from speechbrain.dataio.batch import PaddedBatch

AS_IT_IS = "as it is"
BATCH, LONGEST = 8, 34.1  # utterances, s
WARM = 3  # passes that are not counted
MEAN = 4.5  # s, of an utterance


def ready_batches(setup, count, loop):
    """Batches of an epoch with the teacher's targets, as from the cache.

    Arguments
    ---------
    setup : bench.gpu_parts.workplace.Setup
        Made.
    count : int
        Batches.
    loop : bench.loops.BrainLoop
        Whose teacher is asked, if it has one.

    Returns
    -------
    list of PaddedBatch
        Padded as a whole epoch is.
    """
    durations = setup.size.shorter * iemocap_like(count * BATCH)
    batches = LengthBucketSampler(durations, BATCH, 0.2, seed=1)
    return built(dataset_of(durations), batches, loop)


def longest_batch(setup, loop):
    """As many of IEMOCAP's longest utterance as a batch has."""
    dataset = dataset_of(np.full(BATCH, setup.size.shorter * LONGEST))
    return built(dataset, [range(BATCH)], loop)


def built(dataset, batches, loop):
    """Batches of a dataset, with the targets of a loop's teacher."""
    if hasattr(loop, "target_teacher"):
        cache = TeacherCache("memory", "float16", "unused")
        cache.attach(dataset, loop.target_teacher, BATCH)
    return [PaddedBatch([dataset[i] for i in batch]) for batch in batches]


def loop_of(setup, precision):
    """This project's step, its batches given one by one."""
    source = f"{setup.folder}/encoder"
    return OurLoop(source, None, setup.device, precision)


def as_it_is(brain):
    """The defaults."""
    brain.grad_accumulation_factor = 1


def accumulating(brain):
    """As ``--grad_accumulation_factor 2`` does."""
    brain.grad_accumulation_factor = 2


def checkpointed(brain):
    """As ``gradient_checkpointing: True`` does, for good."""
    brain.grad_accumulation_factor = 1
    brain.modules["model"].encoder.model.gradient_checkpointing_enable(
        {"use_reentrant": False}
    )


#: In this order, on one Brain.
CHANGES = {
    AS_IT_IS: as_it_is,
    "two batches a step": accumulating,
    "gradient checkpointing": checkpointed,
}


def memory(setup, findings):
    """Time and peak memory of an epoch's batches, and of the longest batch."""
    for precision in ("bf16", "fp32"):
        loop, reference = loop_of(setup, precision), None
        batches = ready_batches(setup, setup.size.steps, loop)
        longest = longest_batch(setup, loop)
        for name, change in CHANGES.items():
            change(loop.brain)
            learn(loop, batches)
            with Stopwatch(setup.device) as watch:
                learn(loop, batches)
            with Stopwatch(setup.device) as peak:
                learn(loop, 2 * longest)
            found = (1000 * watch.seconds / len(batches), peak.memory / 1000)
            reference = reference or found
            add_beside(findings, f"{precision}, {name}", found, reference)
        del loop


def learn(loop, batches):
    """Take some steps."""
    for batch in batches:
        loop.learn(batch)


def add_beside(findings, name, found, reference):
    """Rows of a step's time and of the peak memory."""
    kinds = (("step", "ms"), ("peak memory, 8 of the longest", "GB"))
    for (what, unit), value, beside in zip(kinds, found, reference):
        findings.add(f"{what}: {name}", unit, value, AS_IT_IS, beside)


def compile_blocks(model):
    """``torch.compile`` of each transformer block."""
    for block in model.encoder.block_list:
        block.compile(dynamic=True)


def compile_model(model):
    """``torch.compile`` of everything, as SpeechBrain's ``--compile`` does."""
    model.compile(dynamic=True)


def compiled(setup, findings):
    """This project's step through ``torch.compile``."""
    torch._dynamo.config.cache_size_limit = 64
    reference = None
    for name, change in (
        (AS_IT_IS, lambda model: None),
        ("blocks compiled", compile_blocks),
        ("model compiled", compile_model),
    ):
        loop = loop_of(setup, "bf16")
        batches = ready_batches(setup, setup.size.steps, loop)
        change(loop.brain.modules["model"])
        with Stopwatch(setup.device) as first:
            learn(loop, batches)
        with Stopwatch(setup.device) as watch:
            learn(loop, batches)
        step = 1000 * watch.seconds / len(batches)
        reference = reference or step
        findings.add(f"step: bf16, {name}", "ms", step, AS_IT_IS, reference)
        findings.add(f"first {len(batches)} steps: {name}", "s", first.seconds)
        findings.note(f"graph breaks, {name}", graph_breaks())


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
        for _ in range(WARM + setup.size.steps):
            start = time.perf_counter()
            model(wavs).logits.cpu()
            taken.append(time.perf_counter() - start)
    return statistics.median(taken[WARM:])


def grid(setup, findings):
    """The evaluation's noise grid beside plain forward passes."""
    hparams, _, _ = fold_of(setup, "student", "grid")
    grid = hparams["noise_grid"]
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
        f"{name}: forward passes",
        "audio s/s",
        reference,
        "forward passes",
        reference,
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
