"""Brains that learn emotions from labels, and from a teacher.

Authors
 * The MLKD team 2026
"""

import time
from collections import defaultdict

import speechbrain as sb
import torch.nn.functional as F
from speechbrain.utils.logger import get_logger

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.method.lobes import freeze
from mlkd_brain.method.metrics import unweighted_accuracy, weighted_accuracy
from mlkd_brain.method.teacher_cache import TargetTeacher, TeacherTargets
from mlkd_brain.run.epoch_clock import EpochClock, pace, time_left
from mlkd_brain.run.processes import added, of_all_processes, rank_and_size
from mlkd_brain.run.step_memory import SavedActivations, memory_of_training

logger = get_logger(__name__)


class EmotionBrain(sb.Brain):
    """Learns emotions from labels alone: the teacher, the unsupervised student.

    Modules: ``model``, an ``EmotionClassifier``. Hparams: ``checkpointer``,
    ``epoch_counter``, ``learning_rate``, ``number_of_epochs`` and
    ``train_logger``. A batch has ``sig`` and ``emo_encoded``. The epoch with the best UA on the validation
    speaker is kept. The log says where each epoch's time went: in waiting for
    data, in the model, in the optimiser.
    """

    learner = "model"  # its name in the log

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clock = EpochClock(self.device)
        self.memory_said = True
        self.steps = None

    def fit_fold(self, datasets):
        """Train on one part of a fold and validate on another.

        Hparams, besides those of the class: ``batch_size``, ``bucket_jitter``,
        ``seed``, ``train_dataloader_opts`` and ``valid_dataloader_opts``.

        Arguments
        ---------
        datasets : dict
            "train" and "valid", see ``mlkd_brain.data.pipelines.dataio_prep``.
        """
        # fit sets the epoch of the sampler in this place, of no other
        self.train_sampler = self._batches(
            datasets["train"],
            self.hparams.bucket_jitter,
            self.grad_accumulation_factor,
        )
        self.memory_said = False
        batches = self.hparams.number_of_epochs * len(self.train_sampler)
        self.steps = batches // self.grad_accumulation_factor
        self.fit(
            self.hparams.epoch_counter,
            datasets["train"],
            datasets["valid"],
            train_loader_kwargs={
                "batch_sampler": self.train_sampler,
                **self.hparams.train_dataloader_opts,
            },
            valid_loader_kwargs={
                "batch_sampler": self._batches(datasets["valid"], 0.0),
                **self.hparams.valid_dataloader_opts,
            },
        )

    def _batches(self, dataset, bucket_jitter, steps_multiple=1):
        return LengthBucketSampler(
            [dataset.data[key]["duration"] for key in dataset.data_ids],
            self.hparams.batch_size,
            bucket_jitter,
            self.hparams.seed,
            steps_multiple,
            *rank_and_size(),
        )

    def _train_loader_specifics(self, dataset, loader_kwargs):
        """Our batches are this process's already: SpeechBrain adds nothing."""
        return loader_kwargs

    def compute_forward(self, batch, stage):
        """Classify a batch.

        Returns
        -------
        mlkd_brain.method.lobes.Classification
            Logits, hidden states and frame mask.
        """
        batch = batch.to(self.device)
        if self.memory_said or stage != sb.Stage.TRAIN:
            return self.modules.model(*batch.sig)
        with SavedActivations(self.modules.parameters()) as kept:
            predictions = self.modules.model(*batch.sig)
        self._say_memory(kept.bytes, batch.sig.data)
        return predictions

    def _say_memory(self, kept, wavs):
        self.memory_said = True
        longest = self.hparams.batch_size * self.train_sampler.longest
        said = memory_of_training(
            kept, wavs.numel() / SAMPLE_RATE, longest, self.modules.parameters()
        )
        logger.info(said)

    def fit_batch(self, batch):
        """A step; the clock gives it to the model and the optimiser."""
        self.clock.lap("data")
        self.clock.count(batch.sig.lengths, batch.sig.data.shape[1])
        self._set_learning_rate()
        loss = super().fit_batch(batch)
        self.clock.lap(self.learner)
        return loss

    def _set_learning_rate(self):
        self.hparams.learning_rate.set(
            self.optimizer, self.optimizer_step + 1, self.steps
        )

    def optimizers_step(self):
        """Update the weights."""
        self.clock.lap(self.learner)
        super().optimizers_step()
        self.clock.lap("optimiser")

    def compute_objectives(self, predictions, batch, stage):
        """Loss of a batch; also notes its terms and decisions.

        Returns
        -------
        torch.Tensor
            Nats, ().
        """
        labels = batch.emo_encoded.data.squeeze(-1)
        loss, terms = self.objective(predictions, labels, batch, stage)
        self._note({"loss": loss, **terms}, predictions.logits, labels)
        return loss

    def objective(self, predictions, labels, batch, stage):
        """Cross-entropy, and the terms to be logged by name."""
        loss = F.cross_entropy(predictions.logits, labels)
        return loss, {"ce": loss}

    def _note(self, terms, logits, labels):
        for name, value in terms.items():
            self.term_sums[name] += value.detach().float() * len(labels)
        self.references += labels.tolist()
        self.decisions += logits.argmax(dim=-1).tolist()

    def on_fit_start(self):
        """Recovers the latest checkpoint and starts the clock."""
        super().on_fit_start()
        self.first_epoch = self.hparams.epoch_counter.current
        self.started = time.monotonic()

    def on_stage_start(self, stage, epoch=None):
        """Empties the statistics of the last stage."""
        self.term_sums = defaultdict(float)
        self.references, self.decisions = [], []
        self.clock.restart()

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Logs the epoch and keeps it if its validation UA is the best."""
        stats = self._summary()
        if stage == sb.Stage.TRAIN:
            self.train_stats = stats
            self.pace = pace(
                self.clock.seconds, added(of_all_processes(self.clock.heard))
            )
            return
        self.hparams.train_logger.log_stats(
            stats_meta={
                "epoch": epoch,
                "time left": time_left(
                    time.monotonic() - self.started,
                    epoch - self.first_epoch,
                    self.hparams.number_of_epochs - epoch,
                ),
                **self.pace,
            },
            train_stats=self.train_stats,
            valid_stats=stats,
        )
        self.checkpointer.save_and_keep_only(
            meta={"UA": stats["UA"], "epoch": epoch}, max_keys=["UA"]
        )

    def _summary(self):
        """Means and accuracies over the utterances of all processes."""
        sums = {name: float(total) for name, total in self.term_sums.items()}
        heard = of_all_processes((sums, self.references, self.decisions))
        sums, references, decisions = zip(*heard)
        references, decisions = sum(references, []), sum(decisions, [])
        terms = added(sums)
        return {
            **{name: terms[name] / len(references) for name in terms},
            "UA": unweighted_accuracy(references, decisions),
            "WA": weighted_accuracy(references, decisions),
        }


class DistillationBrain(EmotionBrain):
    """Learns from labels, the teacher's logits and its hidden states.

    The teacher is frozen and in eval mode; it hears the clean utterance
    (``clean_sig``), the student the noisy one (``sig``). Hparams, besides those
    of ``EmotionBrain``: ``objective``, a ``MultiLevelObjective``,
    ``teacher_layers``, the teacher's block paired with each student block,
    counted from 1, and ``target_cache``, a ``TeacherCache``.

    Arguments
    ---------
    teacher : EmotionClassifier
        Trained. It is kept out of ``modules``, which ``fit`` sets to train
        mode.
    *args, **kwargs
        Passed to ``sb.Brain``.
    """

    learner = "student"

    def __init__(self, *args, teacher, **kwargs):
        super().__init__(*args, **kwargs)
        self.teacher = freeze(teacher).to(self.device)

    def fit_fold(self, datasets):
        """Fill the teacher's cache, then train as ``EmotionBrain`` does."""
        self.hparams.target_cache.attach(
            datasets["train"], self.target_teacher, self.hparams.batch_size
        )
        if self.hparams.target_cache.kind != "none":
            self.teacher.cpu()  # it has said all it will be asked
        super().fit_fold(datasets)

    @property
    def target_teacher(self):
        """The teacher, asked for the blocks that are distilled."""
        return TargetTeacher(self.teacher, self.hparams.teacher_layers)

    def compute_forward(self, batch, stage):
        """Classify the noisy speech; in training, the teacher the clean one.

        The teacher's answer is the batch's own when it comes from the cache.

        Returns
        -------
        mlkd_brain.method.lobes.Classification
            The student's logits, hidden states and frame mask.
        """
        predictions = super().compute_forward(batch, stage)
        if stage == sb.Stage.TRAIN:
            self.clock.lap(self.learner)
            self.targets = self._targets(batch)
            self.clock.lap("teacher")
        return predictions

    def _targets(self, batch):
        if not hasattr(batch, "teacher_blocks"):
            return self.target_teacher(*batch.clean_sig)
        # (batch, frames, layers, features)
        blocks = batch.teacher_blocks.data.unbind(dim=2)
        return TeacherTargets(batch.teacher_logits.data, list(blocks))

    def objective(self, predictions, labels, batch, stage):
        """The paper's three levels in training, cross-entropy elsewhere."""
        if stage != sb.Stage.TRAIN:
            return super().objective(predictions, labels, batch, stage)
        return self.hparams.objective(
            predictions.logits,
            self.targets.logits,
            predictions.blocks,
            self.targets.blocks,
            predictions.frame_mask,
            labels,
        )
