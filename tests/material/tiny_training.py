"""Tiny classifiers, utterances and Brains that train in a second.

Authors
 * The MLKD team 2026
"""

import torch
from mlkd_brain.method.brains import DistillationBrain
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.method.losses import (
    FeatureDistillation,
    LogitDistillation,
    MultiLevelObjective,
)
from mlkd_brain.method.schedule import LearningRate
from mlkd_brain.run.checkpoints import AtomicCheckpointer

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.epoch_loop import EpochCounter

LAYERS = [2, 4]


class Log:
    def __init__(self):
        self.epochs, self.audio = [], []

    def log_audio(self, name, wav, epoch):
        self.audio.append((name, len(wav), epoch))

    def log_stats(self, **stats):
        self.epochs.append(stats)


def classifier(source, **options):
    torch.manual_seed(5)
    return EmotionClassifier(SpeechEncoder(source, **options), 4)


def utterances(noise=0.5):
    random = torch.Generator().manual_seed(0)
    samples = [4000, 5000, 6000, 8000]
    clean = [torch.randn(n, generator=random) for n in samples]
    return [
        {
            "id": f"u{i}",
            "clean_sig": wav,
            "sig": wav + noise * torch.randn(len(wav), generator=random),
            "emo_encoded": torch.tensor([i]),
        }
        for i, wav in enumerate(clean)
    ]


QUIET = {"device": "cpu", "noprogressbar": True}


def make_brain(
    kind, model, folder, epochs=2, lr=1e-3, run_opts=QUIET, **options
):
    counter = EpochCounter(limit=epochs)
    hparams = {
        "seed": 1986,
        "output_folder": str(folder),
        "epoch_counter": counter,
        "number_of_epochs": epochs,
        "teacher_layers": LAYERS,
        "objective": MultiLevelObjective(
            LogitDistillation(7.0), FeatureDistillation(), alpha=0.7
        ),
    }
    if issubclass(kind, DistillationBrain):
        options.setdefault("gradient_share_batches", 2)
    return kind(
        modules={"model": model},
        opt_class=lambda parameters: torch.optim.AdamW(parameters, lr=lr),
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=AtomicCheckpointer(
            folder, {"model": model, "counter": counter}
        ),
        train_logger=Log(),
        learning_rate=LearningRate(lr),
        **options,
    )


def fold(count, samples=4000):
    random = torch.Generator().manual_seed(0)
    return DynamicItemDataset(
        {
            f"u{i}": {
                "duration": samples / 16000,
                "sig": torch.randn(samples, generator=random),
                "emo_encoded": torch.tensor([i % 4]),
            }
            for i in range(count)
        },
        output_keys=["id", "sig", "emo_encoded"],
    )
