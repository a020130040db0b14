"""Brains that learn emotions from labels, and from a teacher.

The methods that SpeechBrain calls have the arguments of ``sb.Brain``.

Authors
 * The MLKD team 2026
"""

import itertools
import math
import time
from collections import defaultdict
from typing import Any

import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.data.unlabelled import UnlabelledSpeech
from mlkd_brain.errors import InputError
from mlkd_brain.method.gradients import gradient_norms, shares
from mlkd_brain.method.lobes import Classification, EmotionClassifier, freeze
from mlkd_brain.method.losses import balanced_weights, label_loss
from mlkd_brain.method.schedule import LearningRate, set_learning_rate
from mlkd_brain.method.teacher_cache import (
    TargetTeacher,
    TeacherCache,
    TeacherTargets,
)
from mlkd_brain.names import SELECTION, UNLABELLED
from mlkd_brain.run.brain import ResumableBrain
from mlkd_brain.run.console import close_console, show_epoch, show_progress
from mlkd_brain.run.epoch_clock import EpochClock, seconds_left, throughput
from mlkd_brain.run.processes import gather, rank_and_size, sum_by_name
from mlkd_brain.run.step_memory import SavedActivations, describe_memory
from mlkd_brain.run.step_seed import seed_step
from sklearn.metrics import accuracy_score, recall_score
from torch.nn.utils import get_total_norm

import speechbrain as sb
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

EXAMPLES = 2  # inputs of the validation that the tracker gets as audio


class EmotionBrain(ResumableBrain):
    """Learns emotions from labels alone: the teacher, the unsupervised student.

    Modules: ``model``, an ``EmotionClassifier``. Hparams: ``checkpointer``,
    ``epoch_counter`` and ``number_of_epochs``; ``spec_augment``, if there is
    one. A batch has ``sig`` and ``emo_encoded``. The epoch with the best UA on
    the validation speaker is kept. The log gives the fractions of each epoch's
    time: waiting for data, the model, the optimiser.

    Arguments
    ---------
    *args, **kwargs
        Passed to ``ResumableBrain``.
    learning_rate : LearningRate
        Of each step.
    """

    learner = "model"  # its name in the log
    statistics = (
        "term_sums",
        "references",
        "decisions",
        "clipped",
        "shares",
        "time_spent",
    )

    def __init__(self, *args, learning_rate: LearningRate, **kwargs):
        super().__init__(*args, **kwargs)
        self.learning_rate = learning_rate
        self.noprogressbar |= not show_progress()
        # SpeechBrain would shorten every gradient to a norm of 0
        self.max_grad_norm: float = vars(self)["max_grad_norm"] or math.inf
        self.clock = EpochClock(self.device)
        self.memory_to_log = False
        self.examples_to_log = 0
        self.steps: Any = None  # of all epochs; known in fit_fold
        # not in the paper, nor in every yaml
        self.spec_augment = getattr(self.hparams, "spec_augment", None)
        self.class_weights: torch.Tensor | None = None
        self.spare = 0, 0  # utterances without a label, and those of an epoch
        self.train_loader_kwargs: dict[str, Any] = {}

    def fit_fold(
        self,
        datasets: dict[str, DynamicItemDataset],
        bucket_jitter: float | None = None,
        class_weights: str | None = None,
        balanced_sampling: bool = False,
        train_loader_kwargs: dict[str, Any] | None = None,
        valid_loader_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Train on one part of a fold and validate on another.

        Hparams, besides those of the class: ``batch_size`` and ``seed``; with
        balanced classes ``n_classes``.

        Arguments
        ---------
        datasets : dict
            "train" and "valid", see ``mlkd_brain.data.pipelines.dataio_prep``.
        bucket_jitter : float, optional
            Of the batches in training, see ``LengthBucketSampler``.
        class_weights : str, optional
            "balanced": every class counts alike in the cross-entropy.
        balanced_sampling : bool
            Whether every class comes equally often in an epoch.
        train_loader_kwargs, valid_loader_kwargs : dict, optional
            Of the loaders of the two parts.

        Raises
        ------
        InputError
            If ``class_weights`` is another word.
        """
        self.train_loader_kwargs = train_loader_kwargs or {}
        labels = self._balance(
            datasets["train"], class_weights, balanced_sampling
        )
        # under this name fit looks for the sampler, to set its epoch
        self.train_sampler = self._batches(
            datasets["train"],
            bucket_jitter,
            self.grad_accumulation_factor,
            labels,
            *self.spare,
        )
        self.memory_to_log = True
        batches = self.hparams.number_of_epochs * len(self.train_sampler)
        self.steps = batches // self.grad_accumulation_factor
        # from there a GPU copies without Python waiting
        pinned = {"pin_memory": self.device_type == "cuda"}
        self.fit(
            self.hparams.epoch_counter,
            datasets["train"],
            datasets["valid"],
            train_loader_kwargs={
                "batch_sampler": self.train_sampler,
                **pinned,
                **self.train_loader_kwargs,
            },
            valid_loader_kwargs={
                "batch_sampler": self._batches(datasets["valid"], 0.0),
                **pinned,
                **(valid_loader_kwargs or {}),
            },
        )
        self._close_console()

    def _balance(self, dataset, weighted, sampled):
        """Set ``class_weights``; the labels where batches are balanced too."""
        if weighted not in (None, "balanced"):
            raise InputError(
                f"Bad value '{weighted}' for class_weights, expected 'balanced' "
                "or null."
            )
        if not weighted and not sampled:
            return None
        with dataset.output_keys_as(["emo_encoded"]):  # reads no audio
            labels = torch.cat([item["emo_encoded"] for item in dataset])
        if weighted:
            weights = balanced_weights(labels, self.hparams.n_classes)
            self.class_weights = weights.to(self.device)
        return labels[labels != UNLABELLED].tolist() if sampled else None

    def _batches(
        self, dataset, bucket_jitter, steps_multiple=1, labels=None, *spare
    ):
        return LengthBucketSampler(
            [dataset.data[key]["duration"] for key in dataset.data_ids],
            self.hparams.batch_size,
            bucket_jitter,
            self.hparams.seed,
            steps_multiple,
            *rank_and_size(),
            labels,
            *spare,
        )

    def _train_loader_specifics(self, dataset, loader_kwargs):
        """The sampler's batches are this process's own: nothing to add."""
        return loader_kwargs

    def compute_forward(self, batch, stage) -> Classification:
        """Classify a batch: logits, hidden states and frame mask."""
        wav_lens = batch.sig.lengths  # as loaded: on the CPU they are at hand
        batch = batch.to(self.device, non_blocking=True)
        if self.spec_augment is not None:
            self.spec_augment.choose(batch.id)
        if not self.memory_to_log or stage != sb.Stage.TRAIN:
            return self.modules.model(batch.sig.data, wav_lens)
        with SavedActivations(self.modules.parameters()) as saved:
            predictions = self.modules.model(batch.sig.data, wav_lens)
        self._log_memory(saved.total_bytes, batch.sig.data)
        return predictions

    def _log_memory(self, saved_bytes, wavs):
        self.memory_to_log = False
        seconds = wavs.numel() / SAMPLE_RATE
        largest = self.hparams.batch_size * self.train_sampler.longest
        weights = self.modules.parameters()
        logger.info(describe_memory(saved_bytes, seconds, largest, weights))

    def fit_batch(self, batch) -> torch.Tensor:
        """A step; its time counts for the model and the optimiser."""
        self.clock.lap("data")
        self.clock.count_batch(batch.sig.lengths, batch.sig.data.shape[1])
        rate = self.learning_rate.at(self.optimizer_step + 1, self.steps)
        set_learning_rate(self.optimizer, rate)
        loss = super().fit_batch(batch)
        self.clock.lap(self.learner)
        return loss

    def optimizers_step(self) -> None:
        """Update the weights; counts the steps whose gradient is clipped."""
        self.clock.lap(self.learner)
        if math.isfinite(self.max_grad_norm):
            weights = self.modules.parameters()
            norm = get_total_norm(w.grad for w in weights if w.grad is not None)
            self.clipped.append(norm > self.max_grad_norm)
        super().optimizers_step()
        self.clock.lap("optimiser")

    def compute_objectives(self, predictions, batch, stage) -> torch.Tensor:
        """Loss of a batch, nats, (); also records its terms and decisions."""
        labels = batch.emo_encoded.data.squeeze(-1)
        loss, terms = self.objective(predictions, labels, batch, stage)
        self.terms = {"loss": loss, **terms}
        for name, value in self.terms.items():
            self.term_sums[name] += value.detach().float() * len(labels)
        # to be read at the epoch's end
        self.references.append(labels)
        self.decisions.append(predictions.logits.argmax(dim=-1))
        if stage == sb.Stage.VALID:
            self.snrs_db += self._snrs_of(batch)
            self._log_examples(batch)
        if stage != sb.Stage.TRAIN or self.train_sampler is None:
            return loss
        # batches differ by one in size; every utterance counts the same, and
        # with some unlabelled every label nearly so
        return loss * len(labels) / self.train_sampler.mean_size

    def _snrs_of(self, batch):
        """SNR of each utterance, dB; none where validation is on clean speech."""
        noise = getattr(self.hparams, "valid_noise", None)
        return [noise.sample(name).snr_db for name in batch.id] if noise else []

    def _log_examples(self, batch):
        """Give the tracker the first inputs of the validation, to listen to."""
        wavs, lengths = batch.sig
        for name, wav, length in zip(batch.id, wavs, lengths):
            if self.examples_to_log == 0:
                return
            self.examples_to_log -= 1
            valid = wav[: round(float(length) * len(wav))]
            epoch = self.hparams.epoch_counter.current
            self.train_logger.log_audio(f"valid/{name}", valid, epoch)

    def objective(self, predictions, labels, batch, stage) -> tuple:
        """Loss, (), and the terms to be logged by name: cross-entropy."""
        weights = self.class_weights if stage == sb.Stage.TRAIN else None
        loss = label_loss(predictions.logits, labels, weights)
        return loss, {"ce": loss}

    def on_fit_start(self) -> None:
        """Recovers the latest checkpoint and starts the clock."""
        super().on_fit_start()
        self.first_epoch = self.hparams.epoch_counter.current
        self.started = time.monotonic()
        self.examples_to_log = EXAMPLES

    def on_stage_start(self, stage, epoch: int | None = None) -> None:
        """Empties the statistics, or takes up those of a resumed epoch."""
        self.term_sums: dict[str, Any] = defaultdict(float)
        self.references: list[torch.Tensor] = []  # class indices, (batch,)
        self.decisions: list[torch.Tensor] = []
        self.snrs_db: list[float] = []  # of each utterance that is validated on
        self.clipped: list[torch.Tensor] = []  # of each step, whether it was
        self.shares: list[dict[str, torch.Tensor]] = []  # of a distillation
        self.clock.restart()
        self.resume_statistics()

    @property
    def time_spent(self) -> list:
        """The clock's seconds and counts, which a resumed epoch goes on from."""
        return [dict(self.clock.seconds), dict(self.clock.counts)]

    @time_spent.setter
    def time_spent(self, totals):
        self.clock.restart(*totals)

    def on_stage_end(self, stage, stage_loss, epoch=None) -> None:
        """Logs the epoch and keeps it if it validates best.

        By UA; of epochs that tie the one with the lowest loss.
        """
        stats = self._summary()
        if stage == sb.Stage.TRAIN:
            rate = {"lr": self.optimizer.param_groups[0]["lr"]}
            self.train_stats = {**stats, **rate, **self._gradient_stats()}
            self.throughput = throughput(
                self.clock.seconds, sum_by_name(gather(self.clock.counts))
            )
            return
        epochs = self.hparams.number_of_epochs
        left = seconds_left(
            time.monotonic() - self.started,
            epoch - self.first_epoch,
            epochs - epoch,
        )
        self.train_logger.log_stats(
            stats_meta={
                "epoch": epoch,
                "time left, s": left,
                **self.throughput,
            },
            train_stats=self.train_stats,
            valid_stats=stats,
        )
        self.checkpointer.save_and_keep_only(
            meta={
                "UA": stats["UA"],
                "epoch": epoch,
                SELECTION: [stats["UA"], -stats["loss"]],
            },
            max_keys=[SELECTION],
        )
        figures = (
            f"training loss {self.train_stats['loss']:.3f}, validation UA "
            f"{100 * stats['UA']:.1f} %"
        )
        show_epoch(epoch, epochs, figures, left)

    def _close_console(self):
        epochs = self.hparams.number_of_epochs
        best = self.checkpointer.find_checkpoint(max_key=SELECTION)
        trained = (
            f"{self.hparams.epoch_counter.current} of {epochs} epochs, best "
            f"validation UA {100 * best.meta['UA']:.1f} % in epoch "
            f"{best.meta['epoch']}"
        )
        folder = self.checkpointer.checkpoints_dir.parent
        close_console(folder, trained, self.first_epoch >= epochs)

    def _gradient_stats(self):
        """What the log says of the epoch's gradients: how often clipped."""
        if not self.clipped:
            return {}
        return {"clipped": float(torch.stack(self.clipped).float().mean())}

    def _summary(self):
        """Means and accuracies over the utterances of all processes."""
        own = {name: float(total) for name, total in self.term_sums.items()}
        classes = (self.references, self.decisions)
        lists = (*(torch.cat(c).tolist() for c in classes), self.snrs_db)
        sums, *parts = zip(*gather((own, *lists)))
        references, decisions, snrs_db = (sum(part, []) for part in parts)
        terms = sum_by_name(sums)
        count = len(references)
        by_snr = _ua_by_snr(references, decisions, snrs_db)
        references, decisions = _labelled(references, decisions)
        return {
            **{name: terms[name] / count for name in terms},
            "UA": _unweighted(references, decisions),
            "WA": accuracy_score(references, decisions),
            **by_snr,
        }


def _unweighted(references, decisions):
    # balanced_accuracy_score warns when a class is predicted and not present
    present = sorted(set(references))
    return recall_score(references, decisions, labels=present, average="macro")


def _ua_by_snr(references, decisions, snrs_db):
    """UA of the utterances at each SNR, for the log."""
    pairs = defaultdict(list)
    for reference, decision, snr_db in zip(references, decisions, snrs_db):
        pairs[snr_db].append((reference, decision))
    return {
        f"UA {snr_db:g} dB": _unweighted(*zip(*pairs[snr_db]))
        for snr_db in sorted(pairs)
    }


def _labelled(references, decisions):
    pairs = [p for p in zip(references, decisions) if p[0] != UNLABELLED]
    return tuple(map(list, zip(*pairs)))


class DistillationBrain(EmotionBrain):
    """Learns from labels, the teacher's logits and its hidden states.

    The teacher is frozen and in eval mode; its input is the clean utterance
    (``clean_sig``), the student's the noisy one (``sig``). Hparams, besides those
    of ``EmotionBrain``: ``objective``, a ``MultiLevelObjective``;
    ``teacher_layers``, the teacher's block paired with each student block,
    counted from 1.

    Arguments
    ---------
    *args, **kwargs
        Passed to ``EmotionBrain``.
    teacher : EmotionClassifier
        Trained. It is kept out of ``modules``, which ``fit`` sets to train
        mode.
    target_cache : TeacherCache, optional
        Of the teacher's outputs, which ``fit_fold`` fills.
    gradient_share_batches : int
        Of so many batches of an epoch the log has each term's share of the
        gradient.
    unlabelled : UnlabelledSpeech, optional
        Is learned from through the teacher alone.
    """

    learner = "student"

    def __init__(
        self,
        *args,
        teacher: EmotionClassifier,
        target_cache: TeacherCache | None = None,
        gradient_share_batches: int = 0,
        unlabelled: UnlabelledSpeech | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.teacher = freeze(teacher).to(self.device)
        self.target_cache = target_cache
        self.gradient_share_batches = gradient_share_batches
        self.unlabelled = unlabelled

    def fit_fold(
        self, datasets: dict[str, DynamicItemDataset], *args: Any, **kwargs: Any
    ) -> None:
        """Fill the teacher's cache, then train as ``EmotionBrain`` does."""
        if self.unlabelled is not None:
            self.spare = self.unlabelled.add_to(datasets["train"])
        self.train_set = datasets["train"]
        if self.target_cache is not None:
            self._fill(self.target_cache)
        super().fit_fold(datasets, *args, **kwargs)

    def _fill(self, cache):
        cache.attach(
            self.train_set, self.target_teacher, self.hparams.batch_size
        )
        if cache.kind != "none":
            self.teacher.cpu()  # all targets are in the cache

    @property
    def target_teacher(self) -> TargetTeacher:
        """The teacher with the blocks that are distilled."""
        return TargetTeacher(self.teacher, self.hparams.teacher_layers)

    def compute_forward(self, batch, stage) -> Classification:
        """Classify the noisy speech; in training, also get the targets.

        They come with the batch if they were cached, else the teacher is run on
        the clean speech.
        """
        clean = getattr(batch, "clean_sig", None)
        predictions = super().compute_forward(batch, stage)
        if stage == sb.Stage.TRAIN:
            self.clock.lap(self.learner)
            self.targets = self._targets(batch, clean)
            self.clock.lap("teacher")
        return predictions

    def _targets(self, batch, clean):
        if not hasattr(batch, "teacher_blocks"):
            return self.target_teacher(batch.clean_sig.data, clean.lengths)
        # (batch, frames, layers, features)
        blocks = batch.teacher_blocks.data.unbind(dim=2)
        return TeacherTargets(batch.teacher_logits.data, list(blocks))

    def objective(self, predictions, labels, batch, stage) -> tuple:
        """The paper's three levels in training, else cross-entropy."""
        if stage != sb.Stage.TRAIN:
            return super().objective(predictions, labels, batch, stage)
        loss, terms = self.hparams.objective(
            predictions.logits,
            self.targets.logits,
            predictions.blocks,
            self.targets.blocks,
            predictions.frame_mask,
            labels,
            self.class_weights,
        )
        if 0 < self.step <= self.gradient_share_batches:
            weighted = self.hparams.objective.weighted(terms)
            norms = gradient_norms(weighted, self.modules.parameters())
            self.shares.append(shares(norms))
        return loss, terms

    def _gradient_stats(self):
        """Also the share that each weighted term has in the gradient."""
        means = {
            f"grad_share_{name}": float(
                torch.stack([share[name] for share in self.shares]).mean()
            )
            for name in (self.shares[0] if self.shares else ())
        }
        return {**super()._gradient_stats(), **means}

    def on_fit_start(self) -> None:
        """Also balances the objective, where it asks for that."""
        super().on_fit_start()
        objective = self.hparams.objective
        if objective.balance_batches and not objective.is_balanced:
            objective.balance(self._start_norms(objective.balance_batches))

    def _start_norms(self, batches):
        """Mean gradient norm of each term over the first batches."""
        loader = self.make_dataloader(
            self.train_set,
            sb.Stage.TRAIN,
            batch_sampler=self.train_sampler,
            **self.train_loader_kwargs,
        )
        self.modules.train()
        self.on_stage_start(sb.Stage.TRAIN)
        totals: dict[str, float] = defaultdict(float)
        seed_step(self.hparams.seed, epoch=0, step=0)
        for batch in itertools.islice(loader, batches):
            predictions = self.compute_forward(batch, sb.Stage.TRAIN)
            labels = batch.emo_encoded.data.squeeze(-1)
            _, terms = self.objective(
                predictions, labels, batch, sb.Stage.TRAIN
            )
            norms = gradient_norms(terms, self.modules.parameters())
            for name, norm in norms.items():
                totals[name] += float(norm) / batches
        # the same for processes that train together
        parts = gather(dict(totals))
        return {n: v / len(parts) for n, v in sum_by_name(parts).items()}
