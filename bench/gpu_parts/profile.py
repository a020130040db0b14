"""What a training step has the GPU do, and where it makes Python wait.

Authors
 * The MLKD team 2026
"""

import collections
import pathlib
import time
import warnings

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

UNSEEN = 4  # steps before the profiler looks, so that workers have batches
ROWS = 25  # of the profiler's tables
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaMemcpy")
TREE = pathlib.Path(__file__).parents[2]


def profile(step, batches, device):
    """Profile some training steps.

    Arguments
    ---------
    step : callable
        Of a batch.
    batches : iterable
        The first few are not looked at, the last is looked at for waiting.
    device : str
        "cuda", or "cpu", which has no kernels.

    Returns
    -------
    dict
        Of a step, on average: ``milliseconds`` (under the profiler, which
        slows Python), ``kernels``, ``kernel_ms`` (the time in which at least
        one ran), ``waits``; ``waiting_lines``, how often each line of Python
        waited for the GPU in one step; ``by_device`` and ``by_cpu``, the
        profiler's tables.
    """
    batches = list(batches)
    for batch in batches[:UNSEEN]:
        step(batch)
    looked_at = batches[UNSEEN:-1] or batches[:1]
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
        torch.cuda.synchronize()
    with torch.profiler.profile(activities=activities) as profiler:
        start = time.perf_counter()
        for batch in looked_at:
            step(batch)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    return {
        "milliseconds": 1000 * seconds / len(looked_at),
        **_counts(profiler.events(), len(looked_at)),
        "waiting_lines": waiting_lines(lambda: step(batches[-1]), device),
        **_tables(profiler),
    }


def _tables(profiler):
    averages = profiler.key_averages()
    return {
        name: averages.table(sort_by=key, row_limit=ROWS)
        for name, key in (
            ("by_device", "self_device_time_total"),
            ("by_cpu", "self_cpu_time_total"),
        )
    }


def _counts(events, steps):
    kernels = [
        (e.time_range.start, e.time_range.end)
        for e in events
        # an annotation, such as of an optimiser's step, spans several kernels
        if e.device_type == DeviceType.CUDA and not e.is_user_annotation
    ]
    return {
        "kernels": len(kernels) / steps,
        "kernel_ms": covered(kernels) / 1000 / steps,
        "waits": sum(e.name in WAITS for e in events) / steps,
    }


def covered(spans):
    """Length of the union of some spans.

    Example
    -------
    >>> covered([(0, 2), (1, 3), (5, 6)])
    4
    """
    total, end = 0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


def waiting_lines(function, device):
    """How often each line of Python waits for the GPU in a call.

    Arguments
    ---------
    function : callable
        Without arguments.
    device : str
        Nothing waits on "cpu".

    Returns
    -------
    dict
        "file.py:line" to a count, the most frequent first.
    """
    if device != "cuda":
        function()
        return {}
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    torch.cuda.set_sync_debug_mode("default")
    lines = collections.Counter(
        f"{pathlib.Path(w.filename).name}:{w.lineno}"
        for w in caught
        if "synchroniz" in str(w.message)
    )
    return dict(lines.most_common())
