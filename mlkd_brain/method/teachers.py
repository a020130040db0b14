"""Trained models of earlier runs: the best epoch, the teacher of a student.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import torch
import yaml
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.logger import get_logger

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS, SELECTION
from mlkd_brain.run.plain_yaml import plain_values

logger = get_logger(__name__)

#: Script to the systems that have a yaml of their own.
TRAINED_BY = {
    "train_teacher.py": ("teacher",),
    "train_student.py": ("student", "student_unsupervised"),
    "train_baseline.py": ("vad_nmf",),
}


def recover_best(
    model: torch.nn.Module, save_folder: str | pathlib.Path, remedy: str
) -> dict[str, Any]:
    """Load the weights of the epoch with the best validation UA, in place.

    Arguments
    ---------
    model : torch.nn.Module
        What was checkpointed as "model".
    save_folder : str or pathlib.Path
        Of the run.
    remedy : str
        Command that makes the checkpoint.

    Raises
    ------
    InputError
        If there is none, it is damaged, or it belongs to another encoder.

    Returns
    -------
    dict
        ``UA`` and ``epoch`` of the checkpoint.
    """
    checkpoint = None
    if pathlib.Path(save_folder).is_dir():
        checkpointer = Checkpointer(save_folder, {"model": model})
        _refuse_damaged_meta(checkpointer, remedy)
        checkpoint = checkpointer.find_checkpoint(max_key=SELECTION)
    if checkpoint is None:
        raise InputError(
            f"{save_folder}: holds no trained model; make it with `{remedy}`."
        )
    try:
        checkpointer.load_checkpoint(checkpoint)
    except Exception as error:  # what is no pickle raises anything
        _refuse_damaged_weights(checkpoint.path / "model.ckpt", remedy)
        raise InputError(
            f"{checkpoint.path}: was trained with another encoder or other "
            f"blocks ({str(error).splitlines()[-1].strip()}). Give the same "
            f"--encoder_hub, or train anew: `{remedy}`."
        ) from None
    _warn_of_early_stop(checkpointer, pathlib.Path(save_folder).parent)
    return {key: checkpoint.meta[key] for key in ("UA", "epoch")}


def _refuse_damaged_meta(checkpointer, remedy):
    """Each checkpoint says what its epoch is chosen by."""
    for path in sorted(checkpointer.checkpoints_dir.glob("CKPT+*/CKPT.yaml")):
        try:
            meta = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise InputError(_damaged(path, error, remedy)) from None
        # SpeechBrain's own key, the last of the file
        if not isinstance(meta, dict) or "unixtime" not in meta:
            raise InputError(_damaged(path, "its end is missing", remedy))


def _refuse_damaged_weights(path, remedy):
    """A file that nothing can be loaded from is of no encoder at all."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(_damaged(path, error, remedy)) from None


def _damaged(path, error, remedy):
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return (
        f"{path}: is damaged ({reason[0]}); restore it from a copy, delete "
        f"{path.parent.name} so that another epoch is used, or train anew: "
        f"`{remedy}`."
    )


def _warn_of_early_stop(checkpointer, run):
    """An interrupted run can be used; the user must know of it."""
    if not (run / HPARAMS).is_file():
        return
    limit = plain_values((run / HPARAMS).read_text()).get("number_of_epochs")
    if limit is None:  # a baseline, which has no epochs
        return
    last = max(c.meta["epoch"] for c in checkpointer.list_checkpoints())
    if last < limit:
        logger.warning(f"{run}: was trained for {last} of {limit} epochs.")


def start_student(hparams: dict[str, Any]) -> dict[str, Any] | None:
    """Load the teacher where one is needed, and start the student.

    ``initialisation`` "teacher" copies the trained teacher's blocks (the
    paper's), "pretrained" leaves the student as the pretrained encoder is.

    Arguments
    ---------
    hparams : dict
        Of the student's run.

    Raises
    ------
    InputError
        If ``initialisation`` is neither, there is no teacher, the student's test
        speaker is among the teacher's training or validation speakers, or its
        validation speaker among the teacher's training speakers.

    Returns
    -------
    dict or None
        ``UA`` and ``epoch`` of the teacher; None without a teacher.
    """
    initialisation = hparams["initialisation"]
    if initialisation not in ("teacher", "pretrained"):
        raise InputError(
            f"Bad value '{initialisation}' for initialisation, expected one of "
            "['teacher', 'pretrained']."
        )
    if initialisation == "pretrained" and "objective" not in hparams:
        return None
    folder = hparams["teacher_folder"]
    remedy = training_command("teacher", hparams)
    summary = recover_best(hparams["teacher"], f"{folder}/save", remedy)
    _refuse_held_out_speakers(folder, hparams["output_folder"], remedy)
    if initialisation == "teacher":
        # here, because the encoders take seconds to import and the baseline has
        # none
        from mlkd_brain.method.lobes import copy_teacher

        copy_teacher(
            hparams["model"], hparams["teacher"], hparams["teacher_layers"]
        )
    return summary


def _refuse_held_out_speakers(teacher_folder, output_folder, remedy):
    """Neither training nor the choice of the epoch may use a test speaker."""
    for part, teacher_part in (
        ("test", "train"),
        ("test", "valid"),
        ("valid", "train"),
    ):
        own = read_manifest(f"{output_folder}/{part}.csv")["spk_id"]
        path = f"{teacher_folder}/{teacher_part}.csv"
        shared = sorted(set(own) & set(read_manifest(path)["spk_id"]))
        if shared:
            raise InputError(
                f"{path}: the teacher was trained with {', '.join(shared)}, the "
                f"student's {part} speaker. Use the same fold's teacher: "
                f"`{remedy}`."
            )


def training_command(system: str, hparams: dict[str, Any]) -> str:
    """The command that trains a system on a run's fold, for messages.

    Example
    -------
    >>> training_command("teacher", {"fold": 3, "seed": 1986})
    'python train_teacher.py hparams/teacher.yaml --fold 3 --seed 1986'
    """
    options = f"--fold {hparams['fold']} --seed {hparams['seed']}"
    for script, systems in TRAINED_BY.items():
        if system in systems:
            return f"python {script} hparams/{system}.yaml {options}"
    # a name that was given with --system
    script, yaml = "train_student.py", "student"
    if "noisy_copies" in hparams:
        script, yaml = "train_baseline.py", "vad_nmf"
    return f"python {script} hparams/{yaml}.yaml --system {system} {options}"
