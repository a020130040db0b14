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
from mlkd_brain.audio import SAMPLE_RATE
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

SECONDS = 4.5  # the mean utterance of IEMOCAP
REPEATS = 5
TIMED_SECONDS = 0.5  # at least: the system counts busy cores in hundredths


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
        few runs after a first one; ``others``, cores that other processes kept
        busy meanwhile (None where that is unknown); ``seconds``, ``threads`` and
        ``machine``.
    """
    model = model.to(device).eval()
    wav = torch.randn(1, int(seconds * SAMPLE_RATE), device=device) / 10
    with torch.no_grad():
        # attention in one kernel would not be counted on a CPU
        with sdpa_kernel(SDPBackend.MATH):
            with FlopCounterMode(display=False) as counter:
                model(wav)
        load = OtherLoad()
        milliseconds: list[float] = []
        while (
            len(milliseconds) < REPEATS
            or sum(milliseconds) < 1000 * TIMED_SECONDS
        ):
            milliseconds.append(_time(model, wav))
    parameters = list(model.parameters()) or model.learned_values()
    return {
        "parameters": sum(p.numel() for p in parameters),
        "bytes": sum(p.numel() * p.element_size() for p in parameters),
        "macs": counter.get_total_flops() // 2,
        "milliseconds": round(statistics.median(milliseconds), 2),
        "others": load.cores(),
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "machine": machine(device),
    }


def _time(model, wav):
    start = time.perf_counter()
    model(wav)[0].cpu()  # which waits for an accelerator
    return 1000 * (time.perf_counter() - start)


class OtherLoad:
    """Cores that other processes keep busy, from now until it is asked.

    A study times each run while others compute; then a time is no property of
    the model.
    """

    def __init__(self):
        self.start = self._now()

    def cores(self) -> float | None:
        """Their number on average; None where the system does not tell."""
        if self.start is None:
            return None
        all_cores, own, wall = (
            now - start for now, start in zip(self._now(), self.start)
        )
        return round(max(0.0, all_cores - own) / max(wall, 1e-9), 2)

    @staticmethod
    def _now():
        """Busy seconds of all cores, those of this process, the clock."""
        try:
            line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
        except OSError:
            return None
        # then: idle and waiting, interrupts of two kinds, other machines
        user, nice, system, _, _, *interrupts = map(int, line.split()[1:8])
        ticks = user + nice + system + sum(interrupts)
        busy = ticks / os.sysconf("SC_CLK_TCK")
        return busy, time.process_time(), time.perf_counter()


def machine(device: str = "cpu") -> str:
    """Name of the processor and its cores, or of the accelerator."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*: *(.*\S)", text, re.M)
    model = name[1] if name else platform.processor() or platform.machine()
    cores = f"{model}, {os.cpu_count()} cores"
    kind = str(device).partition(":")[0]
    return cores if kind == "cpu" else f"{cores}, {kind}"
