"""What a convolution costs at a length that is new, and at one seen before.

cuDNN plans each convolution for each length; every batch of speech has another.

Authors
 * The MLKD team 2026
"""

import statistics
import time

import torch

from bench.gpu_parts.rates import synchronise
from bench.loops import teacher_and_student

BATCH, NEW, AGAIN = 8, 4, 4  # utterances, lengths, times
SAMPLES, FURTHER = 64000, 320  # the first length, and how the next ones differ


def convolutions(setup, findings):
    """Each convolution of the encoder, in both precisions."""
    _, student = teacher_and_student(f"{setup.folder}/encoder", setup.device)
    for precision in ("float32", "bf16"):
        half = torch.autocast(setup.device, torch.bfloat16, precision == "bf16")
        with half:
            for name, call in calls(student.encoder.model, setup):
                new, again = measure(call, setup)
                label = f"{name}, {precision}"
                findings.add(f"{label}: a new length", "ms", new)
                findings.add(f"{label}: again", "ms", again, "new", new)


def calls(model, setup):
    """Name and function of a length in samples, for each convolution."""
    stride, channels = 1, 1
    for index, layer in enumerate(model.feature_extractor.conv_layers):
        conv = layer.conv
        yield f"conv {index}", _forward(conv, channels, stride, setup)
        stride, channels = stride * conv.stride[0], conv.out_channels
    positions = model.encoder.pos_conv_embed.conv
    width = positions.in_channels
    yield "positions", _backward(positions, width, stride, setup)


def _inputs(channels, stride, samples, setup):
    shape = (BATCH, channels, max(64, samples // stride))
    return torch.randn(shape, device=setup.device)


def _forward(conv, channels, stride, setup):
    def call(samples):
        with torch.no_grad():
            conv(_inputs(channels, stride, samples, setup))

    return call


def _backward(conv, channels, stride, setup):
    def call(samples):
        inputs = _inputs(channels, stride, samples, setup).requires_grad_()
        conv(inputs).float().sum().backward()

    return call


def measure(call, setup):
    """Medians of the first call at some lengths, and of later ones, ms."""
    call(SAMPLES)  # loads the library
    new, again = [], []
    for index in range(1, 1 + NEW):
        times = [
            timed(call, SAMPLES + index * FURTHER, setup) for _ in range(AGAIN)
        ]
        new.append(times[0])
        again += times[1:]
    return statistics.median(new), statistics.median(again)


def timed(call, samples, setup):
    """Milliseconds of a call."""
    synchronise(setup.device)
    start = time.perf_counter()
    call(samples)
    synchronise(setup.device)
    return 1000 * (time.perf_counter() - start)
