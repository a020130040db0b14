"""What the teacher says of each training utterance, computed once.

The teacher is frozen, always hears the same clean utterance and answers alike
in any batch, so it need not be asked again at every epoch. In float32 the cache
changes nothing; float16 halves the disk and rounds each value to 11 bits, an
error of at most 0.05 % of it.

Authors
 * The MLKD team 2026
"""

import math
import pathlib
import shutil
from collections import namedtuple

import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.data_pipeline import provides, takes
from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked, write_json
from mlkd_brain.fingerprint import fingerprint, fingerprint_weights
from mlkd_brain.tensor_store import TensorStore

logger = get_logger(__name__)

KINDS = ("none", "memory", "disk")
DTYPES = {"float16": torch.float16, "float32": torch.float32}
#: What a file must hold besides the tensors: header and file system's share.
OVERHEAD = 4096  # bytes

TeacherTargets = namedtuple("TeacherTargets", "logits blocks")


class TargetTeacher:
    """A teacher that is asked for what its student learns from.

    Arguments
    ---------
    teacher : EmotionClassifier
        Frozen.
    layers : list of int
        Its blocks that are distilled, counted from 1.
    """

    def __init__(self, teacher, layers):
        self.teacher, self.layers = teacher, list(layers)

    def __call__(self, wavs, wav_lens):
        """Ask the teacher; no gradient is kept.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time).
        wav_lens : torch.Tensor
            Relative lengths in (0, 1], (batch,).

        Returns
        -------
        TeacherTargets
            ``logits``: unnormalised scores, (batch, classes); ``blocks``:
            hidden states of each distilled block, (batch, frames, features).
        """
        with torch.no_grad():
            heard = self.teacher(wavs, wav_lens)
        return TeacherTargets(
            heard.logits, [heard.blocks[k - 1] for k in self.layers]
        )

    def bytes_of(self, seconds, dtype):
        """Size of what is said of an utterance of this duration."""
        encoder = self.teacher.encoder
        frames = encoder.count_frames(round(seconds * SAMPLE_RATE))
        values = frames * len(self.layers) * encoder.hidden_size
        return values * DTYPES[dtype].itemsize + OVERHEAD

    def stamp(self):
        """What decides on the answers, as plain data."""
        encoder = self.teacher.encoder
        config = encoder.model.config.to_json_string(use_diff=True)
        return {
            "teacher": fingerprint_weights(self.teacher),
            "encoder": fingerprint([config, encoder.normalize_wav]),
            "teacher_layers": self.layers,
        }


class TeacherCache:
    """Keeps the teacher's logits and hidden states, keyed by utterance.

    On disk there is one safetensors file an utterance, written whole or not at
    all, in a folder that is named after the teacher's weights, its encoder, the
    layers, the precision and the utterances: whatever differs has another
    folder, so that nothing stale is read, and students of one teacher share
    theirs. A start that was interrupted goes on where it was.

    Arguments
    ---------
    kind : str
        "none" asks the teacher at every step, "memory" keeps the answers for
        this run, "disk" for every run.
    dtype : str
        "float16" or "float32".
    folder : str or pathlib.Path
        Where "disk" keeps its folders. They can be deleted at any time but
        while a student is trained.

    Raises
    ------
    InputError
        If the kind or the dtype is unknown.
    """

    def __init__(self, kind, dtype, folder):
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

    def attach(self, dataset, target_teacher, batch_size):
        """Have each utterance come with what the teacher says of it.

        The output keys "teacher_logits", (classes,), and "teacher_blocks",
        (frames, layers, features), take the place of "clean_sig". With "none"
        nothing changes.

        Arguments
        ---------
        dataset : DynamicItemDataset
            Has "id", "duration" and the output key "clean_sig".
        target_teacher : TargetTeacher
            Its teacher stands where it is to compute.
        batch_size : int
            Utterances that the teacher hears at once.

        Raises
        ------
        InputError
            If the disk has not enough room.
        """
        if self.kind == "none":
            return
        if self.kind == "memory":
            answers = {}
            self._complete(answers, dataset, target_teacher, batch_size)
        else:
            stamp = self._stamp(dataset, target_teacher)
            answers = TensorStore(self.folder / fingerprint(stamp))
            run_on_main(
                self._complete_on_disk,
                args=[answers, stamp, dataset, target_teacher, batch_size],
            )
        dataset.add_dynamic_item(_remembered(answers))
        keys = dict(dataset.pipeline.output_mapping)
        del keys["clean_sig"]
        named = {name: name for name in _remembered(answers).provides}
        dataset.set_output_keys({**keys, **named})

    def _stamp(self, dataset, target_teacher):
        utterances = [
            [
                key,
                dataset.data[key]["duration"],
                dataset.data[key].get("level_none"),
            ]
            for key in dataset.data_ids
        ]
        return {
            **target_teacher.stamp(),
            "dtype": self.dtype,
            "utterances": fingerprint(sorted(utterances)),
        }

    def _complete_on_disk(
        self, answers, stamp, dataset, target_teacher, batch_size
    ):
        with locked(answers.folder):
            answers.folder.mkdir(parents=True, exist_ok=True)
            write_json(stamp, answers.folder / "stamp.json")
            self._complete(answers, dataset, target_teacher, batch_size)

    def _complete(self, answers, dataset, target_teacher, batch_size):
        """Ask for what is missing, the longest first: they may not fit."""
        rows = [
            (dataset.data[key]["duration"], place)
            for place, key in enumerate(dataset.data_ids)
            if key not in answers
        ]
        if not rows:
            return
        rows.sort(reverse=True)
        size = sum(
            target_teacher.bytes_of(seconds, self.dtype) for seconds, _ in rows
        )
        self._announce(size, len(rows))
        device = next(target_teacher.teacher.parameters()).device
        # seconds of audio: what the time left depends on
        total = math.ceil(sum(seconds for seconds, _ in rows))
        with tqdm(total=total, unit="s", unit_scale=True) as progress:
            for start in range(0, len(rows), batch_size):
                part = rows[start : start + batch_size]
                with dataset.output_keys_as(["id", "clean_sig"]):
                    batch = PaddedBatch([dataset[place] for _, place in part])
                self._ask(answers, batch.to(device), target_teacher)
                progress.update(sum(seconds for seconds, _ in part))

    def _announce(self, size, count):
        where = self.folder if self.kind == "disk" else "memory"
        logger.info(
            f"teacher_cache: {count} utterances, {size / 1e9:.2f} GB of "
            f"{self.dtype} in {where}"
        )
        if self.kind == "disk" and size > shutil.disk_usage(self.folder).free:
            free = shutil.disk_usage(self.folder).free
            raise InputError(
                f"{self.folder}: the teacher's cache needs {size / 1e9:.2f} GB "
                f"and the disk has {free / 1e9:.2f} GB left. Make room, or give "
                "--teacher_cache none, which asks the teacher at every step."
            )

    def _ask(self, answers, batch, target_teacher):
        said = target_teacher(*batch.clean_sig)
        blocks = torch.stack(said.blocks, dim=2).to(DTYPES[self.dtype]).cpu()
        # (batch, frames, layers, features)
        if not torch.isfinite(blocks).all():
            raise InputError(
                f"The teacher's hidden states leave the range of {self.dtype}, "
                "at most 65504; give --teacher_cache_dtype float32."
            )
        time = batch.clean_sig.data.shape[1]
        samples = (batch.clean_sig.lengths * time).round().long().tolist()
        for row, key in enumerate(batch.id):
            frames = target_teacher.teacher.encoder.count_frames(samples[row])
            answers[key] = {
                "teacher_logits": said.logits[row].cpu(),
                # a copy: a slice would keep the whole batch in memory
                "teacher_blocks": blocks[row, :frames].clone(),
            }


def _remembered(answers):
    """Pipeline for what the teacher said of an utterance."""

    @takes("id")
    @provides("teacher_logits", "teacher_blocks")
    def pipeline(utterance):
        answer = answers[utterance]
        yield answer["teacher_logits"]
        yield answer["teacher_blocks"]

    return pipeline
