"""What a classifier costs: parameters, size, operations and time.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import platform
import statistics
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlkd_brain.audio import SAMPLE_RATE

SECONDS = 4.5  # the mean utterance of IEMOCAP
REPEATS = 5


def complexity(model, device="cpu", seconds=SECONDS):
    """Count a model's parameters and operations, and time it, on one utterance.

    Arguments
    ---------
    model : mlkd_brain.method.lobes.EmotionClassifier
        Any; put in eval mode.
    device : str
        Where to compute.
    seconds : float
        Length of the utterance.

    Returns
    -------
    dict
        ``parameters`` (of a model that is not learned by gradient the values
        of its state); ``bytes`` of them; ``macs``, multiply-accumulates of
        convolutions, products and attention; ``milliseconds``, the median of a
        few runs after a first one; ``seconds``, ``threads`` and ``machine``.

    Example
    -------
    >>> from mlkd_brain.method.lobes import EmotionClassifier, SpeechEncoder
    >>> encoder = SpeechEncoder(getfixture("tiny_wav2vec2"))
    >>> short, long = (
    ...     complexity(EmotionClassifier(encoder, 4), seconds=s) for s in (1, 2)
    ... )
    >>> short["bytes"] == long["bytes"] == 4 * short["parameters"]
    True
    >>> 1.9 < long["macs"] / short["macs"] < 2.5
    True
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


def machine(device="cpu"):
    """Processor and cores, or the accelerator, in words."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} cores"
