"""Base size on a GPU: speed, memory, agreement with the CPU, and a resume.

    make gpu-check
    python -m bench.gpu --seconds 270 --out results/gpu.json

wav2vec2-base's shape with random weights, made-up audio of lengths like IEMOCAP's.
The parts stand in order of importance; each has a process and a time of its own
(``bench.gpu_parts``), and the JSON is written after each. Beside the JSON there
are the table, .md, and what the parts printed, .log. With ``--size tiny`` it is a
dry run of a minute on a CPU.

On a machine without a network ``bash bench/gpu.sh`` brings the missing packages
along, see there.

Authors
 * The MLKD team 2026
"""

import argparse
import functools
import json
import os
import pathlib
import tempfile

import torch
from mlkd_brain.evaluation.complexity import machine

from bench.gpu_parts import checks, options, rates, resume, table
from bench.gpu_parts.cache import cache
from bench.gpu_parts.card import card
from bench.gpu_parts.convolutions import convolutions
from bench.gpu_parts.processor import processor
from bench.gpu_parts.scheduler import Part, Schedule
from bench.gpu_parts.workplace import SIZES, Setup, make

STUDENTS = functools.partial(
    rates.measure,
    loops=rates.STUDENTS,
    reference=rates.PLAIN,
    profiled=(rates.OURS_BF16, rates.OURS, rates.PLAIN),
)
TEACHERS = functools.partial(
    rates.measure, loops=rates.TEACHERS, reference="teacher, float32"
)
VARIANTS = functools.partial(
    rates.measure,
    loops={rates.OURS_BF16: rates.STUDENTS[rates.OURS_BF16], **rates.VARIANTS},
    reference=rates.OURS_BF16,
)
#: What runs at once stands together: speed alone, agreement side by side.
PARTS = (
    (Part("card", card, 30),),
    (Part("corpus", make, 60),),
    (Part("convolutions", convolutions, 20),),
    (Part("students", STUDENTS, 110),),
    (
        Part("parity", checks.parity, 60),
        Part("precisions", checks.precisions, 60),
        Part("noise", checks.noise, 60),
        Part("scripts", resume.scripts, 75),
    ),
    (Part("cache", cache, 15),),
    (Part("teachers", TEACHERS, 45),),
    (Part("memory", options.memory, 30),),
    (Part("inference", options.inference, 20),),
    (Part("grid", options.grid, 25),),
    (Part("variants", VARIANTS, 60),),
    (
        Part("compiled", options.compiled, 120),
        Part("processor", processor, 120),
    ),
)
OUT = pathlib.Path(__file__).with_name("gpu.json")


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--parts", nargs="+", help="only these; all by default")
    parser.add_argument(
        "--keep", type=pathlib.Path, help="JSON whose other parts are kept"
    )
    parser.add_argument("--device", help="the GPU if there is one")
    return parser.parse_args(argv)


def chosen(names):
    """The parts of these names; without names all."""
    return [
        [part for part in group if names is None or part.name in names]
        for group in PARTS
    ]


def main(argv=None):
    """Measure, keep, print."""
    # the parent only counts the cards: it is forked, which a card forbids
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    options = parse(argv)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        size, device = SIZES[options.size], options.device or found
        named = machine() if device == "cpu" else device
        setup = Setup(folder, size, device, named)
        schedule = Schedule(setup, options.seconds, options.out)
        if options.keep:
            schedule.keep(json.loads(options.keep.read_text("utf-8")))
        for group in chosen(options.parts):
            schedule.run(*group)
            table.write(schedule.result, options.out.with_suffix(".md"))
    print(options.out.with_suffix(".md").read_text("utf-8"))


if __name__ == "__main__":
    main()
