"""Which card it is, and how fast it copies and multiplies.

Authors
 * The MLKD team 2026
"""

import os
import platform

import torch
import transformers
from mlkd_brain.evaluation.complexity import machine

import speechbrain

COPY, SIDE, REPEATS = 2**28, 8192, 10  # floats, rows of a matrix


def card(setup, findings):
    """Name and ceilings of the card; of a CPU its name alone."""
    findings.note("machine", machine(setup.device))
    findings.note(
        "versions",
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "speechbrain": speechbrain.__version__,
        },
    )
    findings.note("cores", os.cpu_count())
    if setup.device != "cuda":
        return
    properties = torch.cuda.get_device_properties(0)
    findings.note("GB of memory", properties.total_memory / 1e9)
    source = torch.empty(COPY, device="cuda")
    target = torch.empty_like(source)
    seconds = _seconds(lambda: target.copy_(source))
    findings.add("copy, read and written", "GB/s", 8 * COPY / seconds / 1e9)
    # SpeechBrain lets products in float32 round to TF32
    findings.note("TF32", torch.backends.cuda.matmul.allow_tf32)
    for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        matrix = torch.randn(SIDE, SIDE, device="cuda").to(dtype)
        seconds = _seconds(lambda: matrix @ matrix)  # noqa: B023
        rate = 2 * SIDE**3 / seconds / 1e12
        findings.add(f"matrix product, {name}", "TFLOP/s", rate)


def _seconds(function):
    """Of one call, by the card's own clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for _ in range(3):
        function()
    start.record()
    for _ in range(REPEATS):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / REPEATS
