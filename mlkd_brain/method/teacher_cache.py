"""The teacher's targets of each training utterance, computed once.

The teacher is frozen, its input is always the clean utterance, and its output
does not depend on the batch, so it need not be run again in every epoch. In
float32 the cache changes nothing; float16 halves the disk space and rounds each
value to 11 bits, a relative error of at most 0.05 %.

Authors
 * The MLKD team 2026
"""

import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.disk import human_size, require_space
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked, write_json
from mlkd_brain.fingerprint import (
    fingerprint,
    fingerprint_samples,
    fingerprint_weights,
    provenance,
)
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.run.step_memory import free_memory
from mlkd_brain.tensor_store import TensorStore
from tqdm import tqdm

from speechbrain.dataio.batch import PaddedBatch
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes
from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

KINDS = ("none", "memory", "disk")
DTYPES = {"float16": torch.float16, "float32": torch.float32}
#: Size of a file besides its tensors: header and the file system's blocks.
OVERHEAD = 4096  # bytes
FINGERPRINT = "fingerprint.json"  # what a folder of the cache was made from


class TeacherTargets(NamedTuple):
    """What a student learns from: logits, and hidden states of some blocks."""

    logits: torch.Tensor  # unnormalised scores, (batch, classes)
    blocks: list[torch.Tensor]  # each (batch, frames, features)


class TargetTeacher:
    """A frozen teacher that computes its student's targets.

    Arguments
    ---------
    teacher : EmotionClassifier
        Frozen.
    layers : list of int
        Its blocks that are distilled, counted from 1.
    """

    def __init__(self, teacher: EmotionClassifier, layers: Sequence[int]):
        self.teacher, self.layers = teacher, list(layers)

    def __call__(
        self, wavs: torch.Tensor, wav_lens: torch.Tensor
    ) -> TeacherTargets:
        """Run the teacher without gradients; arguments as ``SpeechEncoder``."""
        with torch.no_grad():
            outputs = self.teacher(wavs, wav_lens)
        return TeacherTargets(
            outputs.logits, [outputs.blocks[k - 1] for k in self.layers]
        )

    def target_bytes(self, seconds: float, dtype: str) -> int:
        """Size on disk of the targets of an utterance of this duration."""
        encoder = self.teacher.encoder
        frames = encoder.count_frames(round(seconds * SAMPLE_RATE))
        values = frames * len(self.layers) * encoder.hidden_size
        return values * DTYPES[dtype].itemsize + OVERHEAD

    def fingerprint_facts(self) -> dict[str, Any]:
        """What the targets depend on besides the utterances, as plain data."""
        encoder = self.teacher.encoder
        config = encoder.model.config.to_json_string(use_diff=True)
        return provenance(
            *("data", "method"),
            libraries=("torch", "transformers"),
            teacher=fingerprint_weights(self.teacher),
            encoder=fingerprint([config, encoder.normalize_wav]),
            teacher_layers=self.layers,
        )


class TeacherCache:
    """Attaches a teacher's targets to a dataset, and keeps them by samples.

    On disk there is one safetensors file an utterance, named after the
    fingerprint of its samples, in a folder named after that of the teacher, the
    layers, the precision, the code and the libraries: targets of anything else
    are never read, and students of one teacher share theirs. An interrupted
    start is resumed. Reading and fingerprinting IEMOCAP takes half a minute at a
    start; in an epoch, half a millisecond an utterance.

    SpeechBrain's ``CachedDynamicItem`` computes one utterance at a time, where
    the loader runs, and may leave half a file.

    Arguments
    ---------
    kind : str
        "none" runs the teacher at every step, "memory" keeps the targets for
        this run, "disk" for every run.
    dtype : str
        "float16" or "float32".
    folder : str or pathlib.Path
        Where "disk" keeps its folders. They can be deleted while no student is
        trained.

    Raises
    ------
    InputError
        If the kind or the dtype is unknown.
    """

    def __init__(self, kind: str, dtype: str, folder: str | pathlib.Path):
        for key, value, allowed in (
            ("teacher_cache", kind, KINDS),
            ("teacher_cache_dtype", dtype, tuple(DTYPES)),
        ):
            if value not in allowed:
                raise InputError(
                    f"Bad value '{value}' for {key}, expected one of "
                    f"{list(allowed)}."
                )
        self.kind, self.dtype = kind, dtype
        self.folder = pathlib.Path(folder)

    def attach(
        self,
        dataset: DynamicItemDataset,
        target_teacher: TargetTeacher,
        batch_size: int,
    ) -> None:
        """Have each utterance come with its targets.

        The output keys "teacher_logits", (classes,), and "teacher_blocks",
        (frames, layers, features), replace "clean_sig". With "none" nothing
        changes.

        Arguments
        ---------
        dataset : DynamicItemDataset
            Has "id", "duration" and the output key "clean_sig".
        target_teacher : TargetTeacher
            On the device that is to compute.
        batch_size : int
            Utterances in a batch of the teacher.

        Raises
        ------
        InputError
            If the disk has not enough space.
        """
        if self.kind == "none":
            return
        targets: Any = {}
        if self.kind == "memory":
            self._complete(targets, dataset, target_teacher, batch_size)
        else:
            facts = {**target_teacher.fingerprint_facts(), "dtype": self.dtype}
            targets = TensorStore(self.folder / fingerprint(facts))
            run_on_main(
                self._complete_on_disk,
                args=[targets, facts, dataset, target_teacher, batch_size],
            )
        dataset.add_dynamic_item(_stored_targets(targets))
        keys = dict(dataset.pipeline.output_mapping)
        del keys["clean_sig"]
        named = {name: name for name in _stored_targets(targets).provides}
        dataset.set_output_keys({**keys, **named})

    def _complete_on_disk(self, targets, facts, *args):
        with locked(targets.folder):
            targets.folder.mkdir(parents=True, exist_ok=True)
            write_json(facts, targets.folder / FINGERPRINT)
            self._complete(targets, *args)

    def _complete(self, targets, dataset, target_teacher, batch_size):
        """Compute what is missing, the longest first: memory may not suffice.

        Batches are those of an empty cache: in another batch the last bits of an
        output may differ, and so a run whose start was interrupted.
        """
        keys = [self._key(dataset, i) for i in range(len(dataset.data_ids))]
        rows = sorted(
            (
                (dataset.data[utterance]["duration"], index)
                for index, utterance in enumerate(dataset.data_ids)
            ),
            reverse=True,
        )
        batches = [
            rows[start : start + batch_size]
            for start in range(0, len(rows), batch_size)
        ]
        batches = [
            b for b in batches if any(keys[i] not in targets for _, i in b)
        ]
        if not batches:
            return
        rows = [row for batch in batches for row in batch]
        self._check_space(
            sum(target_teacher.target_bytes(s, self.dtype) for s, _ in rows),
            len(rows),
        )
        device = next(target_teacher.teacher.parameters()).device
        # progress in seconds of audio, which the time left depends on
        total = math.ceil(sum(seconds for seconds, _ in rows))
        with tqdm(total=total, unit="s", unit_scale=True) as progress:
            for part in batches:
                with dataset.output_keys_as(["clean_sig"]):
                    batch = PaddedBatch([dataset[index] for _, index in part])
                wanted = [keys[index] for _, index in part]
                batch = batch.to(device)
                self._add_batch(targets, wanted, batch, target_teacher)
                progress.update(sum(seconds for seconds, _ in part))

    def _key(self, dataset, index):
        with dataset.output_keys_as(["clean_sig"]):
            return fingerprint_samples(dataset[index]["clean_sig"])

    def _check_space(self, size, count):
        where = self.folder if self.kind == "disk" else "memory"
        logger.info(
            f"teacher_cache: {count} utterances, {human_size(size)} of "
            f"{self.dtype} in {where}"
        )
        if self.kind == "disk":
            require_space(
                self.folder,
                size,
                "the cache of the teacher's outputs",
                "Make room, or give --teacher_cache none, which runs the teacher "
                "at every step.",
            )
        elif size > free_memory():
            raise InputError(
                f"teacher_cache memory takes {human_size(size)} of the "
                f"{human_size(free_memory())} of memory left. Give "
                "--teacher_cache disk, or none, which runs the teacher at every "
                "step."
            )

    def _add_batch(self, targets, keys, batch, target_teacher):
        outputs = target_teacher(*batch.clean_sig)
        blocks = torch.stack(outputs.blocks, dim=2).to(DTYPES[self.dtype]).cpu()
        # (batch, frames, layers, features)
        if not torch.isfinite(blocks).all():
            raise InputError(
                f"The teacher's hidden states leave the range of {self.dtype}, "
                "at most 65504; give --teacher_cache_dtype float32."
            )
        time = batch.clean_sig.data.shape[1]
        samples = (batch.clean_sig.lengths * time).round().long().tolist()
        for row, key in enumerate(keys):
            if key in targets:
                continue
            frames = target_teacher.teacher.encoder.count_frames(samples[row])
            targets[key] = {
                "teacher_logits": outputs.logits[row].cpu(),
                # a copy: a slice would keep the whole batch in memory
                "teacher_blocks": blocks[row, :frames].clone(),
            }


def _stored_targets(targets):
    """Pipeline for the targets of an utterance."""

    @takes("clean_sig")
    @provides("teacher_logits", "teacher_blocks")
    def pipeline(clean_sig):
        stored = targets[fingerprint_samples(clean_sig)]
        yield stored["teacher_logits"]
        yield stored["teacher_blocks"]

    return pipeline
