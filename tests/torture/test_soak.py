"""What a training leaves in memory and open, after many steps."""

import gc
import itertools
import os
import pathlib

import numpy as np
import pytest
from mlkd_brain.method.brains import EmotionBrain
from tiny_training import classifier, make_brain, utterances
from torch.utils.data import DataLoader

from speechbrain.dataio.batch import PaddedBatch

LONG = "TORTURE_FOLDER" in os.environ
STEPS = 2000 if LONG else 60
EPOCHS = 20 if LONG else 10  # each ends with a validation and a checkpoint


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc"
)
def test_training_keeps_no_memory_and_no_file(tally, tiny_wav2vec2, tmp_path):
    brain = make_brain(
        EmotionBrain, classifier(tiny_wav2vec2), tmp_path, epochs=EPOCHS
    )
    resident, log = [], brain.train_logger.log_stats

    def log_stats(**stats):
        gc.collect()
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e3)  # kB
        log(**stats)

    brain.train_logger.log_stats = log_stats
    rows = list(
        itertools.islice(itertools.cycle(utterances()), 2 * STEPS // EPOCHS)
    )
    train, valid = (
        DataLoader(part, batch_size=2, collate_fn=PaddedBatch)
        for part in (rows, utterances())
    )
    before = set(os.listdir("/proc/self/fd"))
    brain.fit(brain.hparams.epoch_counter, train, valid)
    left = len(os.listdir("/proc/self/fd")) - len(before)
    late = resident[3:]  # what is allocated once is there by then
    steps = np.arange(len(late)) * STEPS / EPOCHS
    slope = np.polyfit(steps, late, 1)[0]
    # a leaked graph, batch or checkpoint is 100 kB a step and more; the
    # allocator's own wandering is some MB in all
    assert slope < (1 if LONG else 50), resident
    assert left <= 0
    kind = (
        f"{STEPS} steps: {slope:+.3f} kB a step, {max(left, 0)} files left open"
    )
    tally.count("soak", kind, "nothing")
