"""An epoch's loss in the usual loop and in this project's, as a picture.

    python -m bench.loss_curve

Four classes of made-up utterances, their lengths distributed as IEMOCAP's but
shorter, the embedded encoder with random weights. With the cache alone, on the
same batches, every step must have the loss that it has without.

Authors
 * The MLKD team 2026
"""

import pathlib
import tempfile
import time

import numpy as np
import torch
from matplotlib.figure import Figure
from mlkd_brain.method.teacher_cache import TeacherCache
from tqdm import tqdm

from bench.contestant import THREADS
from bench.lengths import dataset_of, iemocap_like
from bench.loops import save_encoder
from bench.results import add, markdown, row
from bench.training import CACHED, LOOPS, OURS, REFERENCE, epoch_of

PICTURE = pathlib.Path(__file__).parents[1] / "docs" / "loss_curve.png"
UTTERANCES, SHORTER = 240, 0.4


def curve(name, source, folder):
    """Utterances heard, seconds and loss after each step of an epoch."""
    durations = SHORTER * iemocap_like(UTTERANCES)
    dataset = dataset_of(durations)
    start = time.perf_counter()
    loop = LOOPS[name].make(source, dataset, "cpu")
    cache = TeacherCache(LOOPS[name].cache, "float32", folder / name)
    cache.attach(dataset, loop.target_teacher, batch_size=8)
    torch.manual_seed(3)  # the same dropout
    heard, points = 0, []
    for batch in tqdm(epoch_of(name, durations), desc=name):
        heard += len(batch)
        loss = loop.step(batch)
        points.append((heard, time.perf_counter() - start, loss))
    return np.array(points)


def draw(curves, path):
    """Loss over utterances heard and over time, side by side."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    styles = {REFERENCE: "k-", CACHED: "C1--", OURS: "C0-"}
    for axis, column, label in zip(
        axes, (0, 1), ("utterances heard", "seconds, with the cache's making")
    ):
        for name, points in curves.items():
            axis.plot(points[:, column], points[:, 2], styles[name], label=name)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("loss of a step, nats")
    axes[0].legend()
    figure.suptitle("One epoch of distillation, embedded encoder")
    figure.savefig(path, dpi=100)


def rows_of(curves):
    """Mean losses of the epoch, and what the cache changes."""
    means = {name: points[:, 2].mean() for name, points in curves.items()}
    made = [
        row(
            f"training, loss of an epoch: {name}",
            "nats",
            float(value),
            REFERENCE,
            means[REFERENCE],
        )
        for name, value in means.items()
    ]
    change = np.abs(curves[CACHED][:, 2] - curves[REFERENCE][:, 2]).max()
    name = "training, loss of a step: largest change by the cache"
    return [*made, row(name, "nats", float(change))]


def main():
    """Train three times, draw, keep, print."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        save_encoder(folder / "encoder", {})
        curves = {
            loop: curve(loop, str(folder / "encoder"), folder)
            for loop in (REFERENCE, CACHED, OURS)
        }
    draw(curves, PICTURE)
    made = rows_of(curves)
    add(made)
    print(markdown(made))


if __name__ == "__main__":
    main()
