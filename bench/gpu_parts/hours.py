"""Hours, memory and disk for IEMOCAP's ten folds, from what was measured.

A fold is a teacher and a student of 200 epochs. Nothing here trains that long:
times of a step, of a validation and of a checkpoint are measured and multiplied.

Authors
 * The MLKD team 2026
"""

import math
from collections import namedtuple

from mlkd_brain.markdown import markdown_table

from bench.lengths import UTTERANCES

EPOCHS, FOLDS, BATCH = 200, 10, 8
VALIDATED = 553  # utterances of a speaker, on average
#: Name of a machine, loops of teacher and student, GPUs at once.
Machine = namedtuple("Machine", "name teacher student at_once")
GPUS = (
    Machine("one GPU, float32", "teacher, float32", "ours, float32", 1),
    Machine("one GPU, bf16", "teacher, bf16", "ours, bf16", 1),
    Machine("eight GPUs, bf16", "teacher, bf16", "ours, bf16", 8),
)
HEADER = ["", "a fold, hours", "ten folds, hours", "memory, GB", "disk, GB"]
NOTE = (
    "Hours are computed: steps, validations and checkpoints were timed and "
    "multiplied by {epochs} epochs of {steps} batches, teacher and student; "
    '"the student alone" where the teacher\'s were not timed. Folds '
    "go side by side on eight GPUs, in two turns. Memory is the measured peak on "
    "the card, disk the measured size of the runs and of the cache, for ten folds."
)


def epoch_seconds(epochs):
    """An epoch of one of IEMOCAP's folds, from epochs that were timed.

    Arguments
    ---------
    epochs : list of dict
        Of one loop, as ``bench.gpu_parts.rates`` has them.

    Returns
    -------
    float
        Training, validation and checkpoint.

    Example
    -------
    >>> timed = {"seconds": 1.0, "steps": 100, "end": 0.6}
    >>> timed |= {"checkpoint": 0.5, "validated": 553}
    >>> round(epoch_seconds([timed]), 2)  # 554 steps of 10 ms, 0.1 s, 0.5 s
    6.14
    """
    each = [
        math.ceil(UTTERANCES / BATCH) * epoch["seconds"] / epoch["steps"]
        + (epoch["end"] - epoch["checkpoint"]) * VALIDATED / epoch["validated"]
        + epoch["checkpoint"]
        for epoch in epochs
    ]
    return sum(each) / len(each)


def timed_loops(epochs, machine):
    """A machine's loops, teacher and student, that were measured."""
    return [n for n in (machine.teacher, machine.student) if n in epochs]


def fold_hours(epochs, machine):
    """A teacher and a student of one fold, or what of them was measured."""
    each = [epoch_seconds(epochs[n]) for n in timed_loops(epochs, machine)]
    return EPOCHS * sum(each) / 3600


def table(parts):
    """The table of hours; nothing while a part of it is missing.

    Arguments
    ---------
    parts : dict
        Of ``bench.gpu``'s JSON.

    Returns
    -------
    str
        Markdown.
    """
    epochs = {}
    for name in ("students", "teachers"):
        epochs |= parts.get(name, {}).get("notes", {}).get("epochs", {})
    rows = [
        _row(epochs, machine, _disk(parts, machine))
        for machine in GPUS
        if machine.student in epochs
    ]
    rows += _processor_row(parts.get("processor", {}).get("notes", {}))
    if not rows:
        return ""
    note = NOTE.format(epochs=EPOCHS, steps=math.ceil(UTTERANCES / BATCH))
    return f"{markdown_table(HEADER, rows)}\n\n{note}"


def _row(epochs, machine, disk):
    hours = fold_hours(epochs, machine)
    turns = math.ceil(FOLDS / machine.at_once)
    loops = timed_loops(epochs, machine)
    peaks = [epoch["memory"] / 1000 for n in loops for epoch in epochs[n]]
    alone = "" if machine.teacher in loops else ", the student alone"
    return [
        machine.name + alone,
        f"{hours:.1f}",
        f"{hours * turns:.1f}",
        f"{max(peaks):.0f}",
        disk,
    ]


def _disk(parts, machine):
    """Runs of teacher and student, and the teacher's cache."""
    sizes = {
        **parts.get("students", {}).get("notes", {}).get("disk", {}),
        **parts.get("teachers", {}).get("notes", {}).get("disk", {}),
    }
    cache = parts.get("cache", {}).get("notes", {}).get("bytes for a fold")
    found = [sizes.get(machine.teacher), sizes.get(machine.student), cache]
    if None in found:
        return ""
    return f"{FOLDS * sum(found) / 1e9:.0f}"


def _processor_row(notes):
    """A CPU's row: two steps were timed, of the teacher and of the student."""
    if "seconds a step" not in notes:
        return []
    steps = EPOCHS * math.ceil(UTTERANCES / BATCH)
    hours = steps * sum(notes["seconds a step"].values()) / 3600
    name = f"CPU, {notes['threads']} threads"
    return [[name, f"{hours:.0f}", f"{hours * FOLDS:.0f}", "", ""]]
