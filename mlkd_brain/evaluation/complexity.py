"""What a classifier costs: parameters, size, operations and time.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import platform
import re
import statistics
import time
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlkd_brain.audio import SAMPLE_RATE

SECONDS = 4.5  # the mean utterance of IEMOCAP
REPEATS = 5


def complexity(
    model: Any, device: str = "cpu", seconds: float = SECONDS
) -> dict[str, Any]:
    """Count a model's parameters and operations, and time it, on one utterance.

    Arguments
    ---------
    model : mlkd_brain.method.lobes.EmotionClassifier
        Any; put in eval mode.
    device : str
        Where to compute.
    seconds : float
        Length of the utterance, of random samples.

    Returns
    -------
    dict
        ``parameters`` (of a model without any, the values of its state); ``bytes`` of them; ``macs``, multiply-accumulates of
        convolutions, products and attention; ``milliseconds``, the median of a
        few runs after a first one; ``seconds``, ``threads`` and ``machine``.
    """
    model = model.to(device).eval()
    wav = torch.randn(1, int(seconds * SAMPLE_RATE), device=device) / 10
    with torch.no_grad():
        # attention in one kernel would not be counted on a CPU
        with sdpa_kernel(SDPBackend.MATH):
            with FlopCounterMode(display=False) as counter:
                model(wav)
        milliseconds = [_time(model, wav) for _ in range(REPEATS)]
    parameters = list(model.parameters()) or model.learned_values()
    return {
        "parameters": sum(p.numel() for p in parameters),
        "bytes": sum(p.numel() * p.element_size() for p in parameters),
        "macs": counter.get_total_flops() // 2,
        "milliseconds": round(statistics.median(milliseconds), 2),
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "machine": machine(device),
    }


def _time(model, wav):
    start = time.perf_counter()
    model(wav)[0].cpu()  # which waits for an accelerator
    return 1000 * (time.perf_counter() - start)


def machine(device: str = "cpu") -> str:
    """Name of the processor and its cores, or of the accelerator."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*: *(.*\S)", text, re.M)
    model = name[1] if name else platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"
