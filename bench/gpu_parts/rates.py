"""How fast the plain loop and this project's train, in turn.

Each loop has a process of its own and takes an epoch when it is told to, the
first of them uncounted. Both read the same wav files and mix the same noise in
as many DataLoader workers. This project's loop is ``Brain.fit`` as the recipe's
script calls it, with its validation and its checkpoints.

Authors
 * The MLKD team 2026
"""

import itertools
import pathlib
import re
import statistics
import time
from collections import namedtuple

import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.fingerprint import fingerprint_weights
from mlkd_brain.method.brains import EmotionBrain
from mlkd_brain.method.lobes import copy_teacher
from torch.utils.data import DataLoader

import speechbrain as sb
from bench.contestant import peak_megabytes
from bench.gpu_parts.profile import profile
from bench.gpu_parts.scheduler import Worker
from bench.gpu_parts.workplace import fold_of
from bench.loops import PlainLoop
from speechbrain.dataio.batch import PaddedBatch

PLAIN, OURS, OURS_BF16 = "plain, float32", "ours, float32", "ours, bf16"
PREPARE, EPOCH, PROFILE, TEACHER = "prepare", "epoch", "profile", "teacher"

#: Yaml, and options of its script; the plain loop has neither.
Loop = namedtuple("Loop", "yaml options")
BF16 = {"precision": "bf16"}
#: The log's shares of the gradient take two batches of an epoch, whose share is
#: larger here than in IEMOCAP's epochs: they are left out.
STEADY = {"gradient_share_batches": 0}
STUDENTS = {
    PLAIN: Loop(None, {}),
    OURS: Loop("student", STEADY),
    OURS_BF16: Loop("student", {**STEADY, **BF16}),
}
TEACHERS = {
    "teacher, float32": Loop("teacher", {}),
    "teacher, bf16": Loop("teacher", BF16),
}
#: Beside ``OURS_BF16``, what each choice changes.
VARIANTS = {
    "ours, bf16, no cache": Loop(
        "student", {**STEADY, **BF16, "teacher_cache": "none"}
    ),
    "ours, bf16, cache in memory": Loop(
        "student", {**STEADY, **BF16, "teacher_cache": "memory"}
    ),
    "ours, bf16, 2 workers": Loop(
        "student", {**STEADY, **BF16, "num_workers": 2}
    ),
}


class Ended(Exception):
    """Raised inside ``Brain.fit`` when no more epochs are wanted."""


def synchronise(device):
    """Wait for the GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


class Stopwatch:
    """Seconds and peak memory of what happens inside, as a context."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        synchronise(self.device)
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        synchronise(self.device)
        self.seconds = time.perf_counter() - self.start
        self.memory = peak_megabytes(self.device)


class CountingLoader:
    """A loader that counts steps and seconds of padded audio."""

    def __init__(self, loader):
        self.loader, self.steps, self.padded = loader, 0, 0.0
        self.log = []  # samples of each batch, and how long it took, ms

    def __iter__(self):
        start = time.perf_counter()
        for batch in self.loader:
            self.steps += 1
            samples = batch.sig.data.shape[1]
            self.padded += batch.sig.data.numel() / SAMPLE_RATE
            yield batch
            end = time.perf_counter()
            self.log.append([samples, round(1000 * (end - start), 1)])
            start = end


def facts_of(watch, loader, dataset):
    """An epoch in numbers."""
    audio = sum(float(dataset.data[k]["duration"]) for k in dataset.data_ids)
    return {
        "seconds": watch.seconds,
        "memory": watch.memory,
        "steps": loader.steps,
        "audio": audio,
        "padded": loader.padded,
        "log": loader.log,
    }


def plain(next_order, answer, setup):
    """The plain loop, as a worker."""
    _, _, datasets = fold_of(setup, "student", "plain")
    dataset = datasets["train"]
    loop = PlainLoop(f"{setup.folder}/encoder", dataset, setup.device)
    loader = DataLoader(
        dataset,
        batch_size=8,
        shuffle=True,
        collate_fn=PaddedBatch,
        num_workers=setup.size.workers,
    )
    while (order := next_order()) is not None:
        if order == PREPARE:
            answer({})
        elif order == PROFILE:
            some = itertools.islice(loader, setup.size.steps)
            answer(profile(loop.learn, some, setup.device))
        else:
            counted = CountingLoader(loader)
            with Stopwatch(setup.device) as watch:
                for batch in counted:
                    loop.learn(batch)
            answer(facts_of(watch, counted, dataset))


class OrderedBrain:
    """Has a Brain of the recipe wait for an order before each epoch.

    Arguments
    ---------
    brain : mlkd_brain.method.brains.EmotionBrain
        Its ``fit_fold`` goes on until there are no more orders.
    next_order, answer : callable
        See ``scheduler.Worker``.
    setup : bench.gpu_parts.workplace.Setup
        Made.
    """

    def __init__(self, brain, next_order, answer, setup):
        self.brain, self.setup = brain, setup
        self.next_order, self.answer = next_order, answer
        self._fit_train, self._fit_valid = brain._fit_train, brain._fit_valid
        brain._fit_train, brain._fit_valid = self.train, self.validate
        self._save = brain.checkpointer.save_and_keep_only
        brain.checkpointer.save_and_keep_only = self.save
        self.facts = None

    def fit(self, datasets, **options):
        """Train; the first answer says how long the preparation took."""
        self.started = time.perf_counter()
        try:
            self.brain.fit_fold(datasets, **options)
        except Ended:
            pass

    def train(self, train_set, epoch, enable):
        """An epoch's training."""
        if self.facts is None:
            took = time.perf_counter() - self.started
            self.answer({"seconds": took, "teacher": self._teacher()})
        while (order := self.next_order()) in (PROFILE, TEACHER):
            self.answer(
                self._profile(train_set)
                if order == PROFILE
                else self._teacher()
            )
        if order is None:
            raise Ended
        counted = CountingLoader(train_set)
        with Stopwatch(self.setup.device) as watch:
            self._fit_train(counted, epoch, enable)
        self.facts = facts_of(watch, counted, train_set.dataset)
        self.facts["shares"] = dict(self.brain.clock.seconds)

    def validate(self, valid_set, epoch, enable):
        """The epoch's end: validation and checkpoint."""
        with Stopwatch(self.setup.device) as watch:
            self._fit_valid(valid_set, epoch, enable)
        self.facts["validated"] = len(valid_set.dataset)
        self.answer({**self.facts, "end": watch.seconds})

    def save(self, *args, **kwargs):
        """The checkpoint."""
        with Stopwatch(self.setup.device) as watch:
            saved = self._save(*args, **kwargs)
        self.facts["checkpoint"] = watch.seconds
        return saved

    def _profile(self, train_set):
        self.brain.on_stage_start(sb.Stage.TRAIN)
        self.brain.modules.train()
        some = itertools.islice(train_set, self.setup.size.steps)
        found = profile(self._step, some, self.setup.device)
        self.brain.step = 0
        return found

    def _teacher(self):
        """Fingerprint of the teacher's weights, if there is a teacher."""
        teacher = getattr(self.brain, "teacher", None)
        return None if teacher is None else fingerprint_weights(teacher)

    def _step(self, batch):
        self.brain.step += 1
        return self.brain.fit_batch(batch)


def system_of(name):
    """Name of a loop's folder."""
    return re.sub(r"\W+", "_", name)


def ours(next_order, answer, setup, name, loop):
    """This project's loop, as a worker."""
    hparams, run_opts, datasets = fold_of(
        setup, loop.yaml, system_of(name), **loop.options
    )
    if loop.yaml == "student":
        copy_teacher(
            hparams["model"], hparams["teacher"], hparams["teacher_layers"]
        )
    brain = hparams.get("brain_class", EmotionBrain)(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
        train_logger=hparams["train_logger"],
        learning_rate=hparams["learning_rate"],
    )
    next_order()
    OrderedBrain(brain, next_order, answer, setup).fit(
        datasets,
        bucket_jitter=hparams["bucket_jitter"],
        train_loader_kwargs=hparams["train_dataloader_opts"],
        valid_loader_kwargs=hparams["valid_dataloader_opts"],
    )


class Turns:
    """Loops that take their turns, each in a process of its own.

    A loop that fails is left out from there on; the others go on.

    Arguments
    ---------
    setup, findings
        As of every part.
    loops : dict
        Name to ``Loop``.
    """

    def __init__(self, setup, findings, loops):
        self.findings = findings
        self.workers = {
            name: Worker(plain, setup)
            if loop.yaml is None
            else Worker(ours, setup, name, loop)
            for name, loop in loops.items()
        }

    def each(self, order):
        """Give an order to each loop in turn; the answers by name."""
        answers = {}
        for name in list(self.workers):
            answer = self.one(name, order)
            if answer is not None:
                answers[name] = answer
        return answers

    def one(self, name, order):
        """Answer of one loop, None if it has failed."""
        if name not in self.workers:
            return None
        try:
            return self.workers[name].ask(order)
        except (RuntimeError, OSError) as error:
            self.findings.note(f"error of {name}", str(error))
            del self.workers[name]
            return None

    def end(self):
        """End all processes."""
        for worker in self.workers.values():
            worker.end()


def measure(setup, findings, loops, reference, profiled=()):
    """Rates, memory and shares of some loops, beside one of them.

    The first epoch of each is not counted.

    Arguments
    ---------
    setup, findings
        As of every part.
    loops : dict
        Name to ``Loop``.
    reference : str
        Name of the one that the others are compared with.
    profiled : collection of str
        Loops whose steps are looked into as well.
    """
    turns = Turns(setup, findings, loops)
    prepared = turns.each(PREPARE)
    findings.note("preparation", prepared)
    first = turns.each(EPOCH)
    findings.note("first epoch", first)
    profiles = {name: turns.one(name, PROFILE) for name in profiled}
    for name, found in profiles.items():
        findings.note(f"profile, {name}", found)
    rounds = []
    for _ in range(setup.size.rounds):
        rounds.append(turns.each(EPOCH))
        epochs = {n: [r[n] for r in rounds if n in r] for n in rounds[0]}
        findings.note("epochs", epochs)
        add_rates(findings, epochs, reference)
        for name, found in profiles.items():
            if found and found["kernels"] and name in epochs:
                add_profile(findings, name, found, epochs[name])
    for name, found in prepared.items():
        check_teacher(findings, turns, name, found.get("teacher"))
    turns.end()
    findings.note("disk", {name: disk(setup, name) for name in prepared})


def disk(setup, name):
    """Bytes of a run's folder."""
    folder = pathlib.Path(setup.folder) / "results" / system_of(name)
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def check_teacher(findings, turns, name, before):
    """Whether training has left the teacher as it was."""
    if before is not None:
        after = turns.one(name, TEACHER)
        label = f"the teacher is bit-equal after training: {name}"
        findings.check(label, after == before)


def mean(epochs, key):
    """Of a number of each epoch."""
    return statistics.fmean(epoch[key] for epoch in epochs)


def add_rates(findings, epochs, reference):
    """A row for each loop and quantity."""
    for quantity, unit, of in (
        ("rate", "audio s/s", lambda e: mean(e, "audio") / mean(e, "seconds")),
        ("step", "ms", lambda e: 1000 * mean(e, "seconds") / mean(e, "steps")),
        ("padding", "x", lambda e: mean(e, "padded") / mean(e, "audio")),
        ("peak memory", "GB", lambda e: max(x["memory"] for x in e) / 1000),
    ):
        values = {name: of(found) for name, found in epochs.items()}
        for name, value in values.items():
            findings.add(
                f"{quantity}: {name}",
                unit,
                value,
                reference,
                values.get(reference),
            )
    for name, found in epochs.items():
        add_shares(findings, name, found)


def add_shares(findings, name, epochs):
    """Where an epoch of this project's loop goes."""
    if "end" not in epochs[0]:
        return
    total = sum(sum(epoch["shares"].values()) for epoch in epochs)
    for activity in epochs[0]["shares"]:
        took = sum(epoch["shares"][activity] for epoch in epochs)
        findings.add(f"share of {activity}: {name}", "%", 100 * took / total)
    findings.add(f"validation and checkpoint: {name}", "s", mean(epochs, "end"))
    findings.add(f"checkpoint: {name}", "s", mean(epochs, "checkpoint"))


def add_profile(findings, name, found, epochs):
    """Kernels and waits of a step, and how busy the GPU is without profiler."""
    step = 1000 * mean(epochs, "seconds") / mean(epochs, "steps")
    for quantity in ("kernels", "waits"):
        findings.add(f"{quantity} of a step: {name}", "", found[quantity])
    findings.add(f"time in kernels: {name}", "ms a step", found["kernel_ms"])
    findings.add(f"GPU busy: {name}", "%", 100 * found["kernel_ms"] / step)
