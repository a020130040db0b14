"""The distillation loop as it is usually written, and this project's.

Both train the same student from the same teacher on the same utterances, with
the project's encoder, losses, optimiser and clipping.

Authors
 * The MLKD team 2026
"""

import functools

import torch
from mlkd_brain.method.brains import DistillationBrain, EmotionBrain
from mlkd_brain.method.embedded import FOLDER
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, copy_teacher, freeze
from mlkd_brain.method.losses import (
    FeatureDistillation,
    LogitDistillation,
    MultiLevelObjective,
)
from mlkd_brain.method.schedule import LearningRate
from mlkd_brain.method.teacher_cache import TargetTeacher
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

import speechbrain as sb
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.epoch_loop import EpochCounter

LAYERS = [2, 4, 6, 8, 10, 12]
LARGEST_GRADIENT = 5.0  # norm; SpeechBrain's default
ADAMW = {"lr": 4e-4, "weight_decay": 0.01}  # of a random encoder


def save_encoder(folder, changes):
    """Write an encoder with random weights, as a local folder."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(FOLDER, **changes)
    AutoModel.from_config(config).save_pretrained(folder)
    AutoFeatureExtractor.from_pretrained(FOLDER).save_pretrained(folder)


def teacher_and_student(source, device):
    """The same two in every process."""
    torch.manual_seed(1)
    teacher = EmotionClassifier(SpeechEncoder(source), 4)
    student = EmotionClassifier(SpeechEncoder(source, kept_layers=LAYERS), 4)
    copy_teacher(student, teacher, LAYERS)
    return freeze(teacher).to(device), student.to(device)


def objective():
    """The paper's."""
    return MultiLevelObjective(
        LogitDistillation(7.0), FeatureDistillation(), alpha=0.7
    )


class PlainLoop:
    """One step after the other, as in any script.

    Arguments
    ---------
    source : str
        Folder of the encoder.
    dataset : DynamicItemDataset
        See ``bench.lengths``; what the teacher says may come with it.
    device : str
        Where to compute.
    keeps_conv_graph : bool
        As SpeechBrain's wav2vec 2.0 does when its conv encoder is frozen.
    """

    def __init__(self, source, dataset, device, keeps_conv_graph=False):
        self.dataset, self.device = dataset, device
        teacher, self.student = teacher_and_student(source, device)
        self.target_teacher = TargetTeacher(teacher, LAYERS)
        convs = self.student.encoder.model.feature_extractor
        convs._requires_grad = keeps_conv_graph
        self.objective = objective()
        self.optimiser = torch.optim.AdamW(self.student.parameters(), **ADAMW)
        self.student.train()

    def step(self, places):
        """Learn from the utterances at these places; the loss."""
        return self.learn(PaddedBatch([self.dataset[i] for i in places]))

    def learn(self, batch):
        """Learn from a batch; the loss."""
        batch = batch.to(self.device)
        if hasattr(batch, "teacher_blocks"):
            logits = batch.teacher_logits.data
            blocks = list(batch.teacher_blocks.data.unbind(dim=2))
        else:
            logits, blocks = self.target_teacher(*batch.clean_sig)
        heard = self.student(*batch.sig)
        labels = batch.emo_encoded.data.squeeze(-1)
        loss, _ = self.objective(
            heard.logits, logits, heard.blocks, blocks, heard.frame_mask, labels
        )
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(
            self.student.parameters(), LARGEST_GRADIENT
        )
        self.optimiser.step()
        return loss.item()


class BrainLoop:
    """One of the project's Brains, step by step.

    Arguments
    ---------
    brain : mlkd_brain.method.brains.EmotionBrain
        Made; it is never asked to fit.
    dataset : DynamicItemDataset
        As above; None if all batches are given.
    """

    def __init__(self, brain, dataset):
        self.brain, self.dataset = brain, dataset
        self.brain.on_fit_start()
        self.brain.on_stage_start(sb.Stage.TRAIN)
        self.brain.modules.train()

    def step(self, places):
        """Learn from the utterances at these places; the loss."""
        return self.learn(PaddedBatch([self.dataset[i] for i in places]))

    def learn(self, batch):
        """Learn from a batch; the loss."""
        self.brain.step += 1
        return self.brain.fit_batch(batch).item()


def brain_options(model, device, precision):
    """What every Brain here is made with."""
    return {
        "modules": {"model": model},
        "opt_class": functools.partial(torch.optim.AdamW, fused=True, **ADAMW),
        "hparams": {
            "seed": 1986,
            "epoch_counter": EpochCounter(limit=1),
            "teacher_layers": LAYERS,
            "objective": objective(),
        },
        "learning_rate": LearningRate(ADAMW["lr"]),
        "run_opts": {"device": device, "precision": precision},
    }


class OurLoop(BrainLoop):
    """The project's distillation.

    Arguments
    ---------
    source, dataset, device
        As above.
    precision : str
        "fp32" or "bf16".
    """

    def __init__(self, source, dataset, device, precision="fp32"):
        teacher, student = teacher_and_student(source, device)
        options = brain_options(student, device, precision)
        super().__init__(DistillationBrain(**options, teacher=teacher), dataset)
        self.target_teacher = self.brain.target_teacher


class TeacherLoop(BrainLoop):
    """The project's training of a teacher; arguments are ``OurLoop``'s."""

    def __init__(self, source, dataset, device, precision="fp32"):
        teacher, _ = teacher_and_student(source, device)
        # the conv encoder stays frozen, as in the yaml
        teacher.requires_grad_(True)
        teacher.encoder.model.feature_extractor.requires_grad_(False)
        options = brain_options(teacher, device, precision)
        super().__init__(EmotionBrain(**options), dataset)
