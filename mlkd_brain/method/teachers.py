"""Trained models of earlier runs: the best epoch, the teacher of a student.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import torch
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS, SELECTION
from mlkd_brain.run.checkpoint_files import find_damage
from mlkd_brain.run.checkpoints import AtomicCheckpointer
from mlkd_brain.run.description import Built, describe_run, imported
from mlkd_brain.run.protocol import read_settings

from speechbrain.utils.logger import get_logger

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
        checkpointer = AtomicCheckpointer(save_folder, {"model": model})
        checkpoint = checkpointer.find_checkpoint(max_key=SELECTION)
    if checkpoint is None:
        raise InputError(
            f"{save_folder}: holds no trained model; make it with `{remedy}`."
        )
    _load(checkpointer, checkpoint, remedy)
    _warn_of_early_stop(checkpointer, pathlib.Path(save_folder).parent)
    return {key: checkpoint.meta[key] for key in ("UA", "epoch")}


def _load(checkpointer, checkpoint, remedy):
    damage = find_damage(checkpoint.path, ["model"])
    if damage is None:
        try:
            checkpointer.load_checkpoint(checkpoint)
            return
        except Exception as error:  # what is no pickle raises anything
            reason = str(error)
        if "loading state_dict" in reason:
            raise InputError(
                f"{checkpoint.path}: was trained with another encoder or other "
                f"blocks ({reason.splitlines()[-1].strip()}). Give the same "
                f"--encoder_hub, or train anew: `{remedy}`."
            )
        damage = "model.ckpt is damaged"
    file, _, state = damage.partition(" ")
    raise InputError(
        f"{checkpoint.path / file}: {state}. It is the run's best epoch: put a copy in "
        f"its place, or delete the run's folder and train anew: `{remedy}`."
    )


def _warn_of_early_stop(checkpointer, run):
    """An interrupted run can be used; the user must know of it."""
    if not (run / HPARAMS).is_file():
        return
    limit = read_settings(run / HPARAMS).get("number_of_epochs")
    if limit is None:  # a baseline, which has no epochs
        return
    # a checkpoint within an epoch has no number of it
    found = checkpointer.list_checkpoints()
    last = max(c.meta.get("epoch", 0) for c in found)
    if last < limit:
        logger.warning(f"{run}: was trained for {last} of {limit} epochs.")


def start_student(
    hparams: dict[str, Any],
    teacher: Any,
    teacher_folder: str | pathlib.Path,
    initialisation: str,
) -> dict[str, Any] | None:
    """Load the teacher where one is needed, and start the student.

    Arguments
    ---------
    hparams : dict
        Of the student's run.
    teacher : mlkd_brain.method.lobes.EmotionClassifier
        Gets the weights of the trained one.
    teacher_folder : str or pathlib.Path
        Run of that.
    initialisation : str
        "teacher" copies its blocks (the paper's), "pretrained" leaves the
        student as the pretrained encoder is.

    Raises
    ------
    InputError
        If ``initialisation`` is neither, there is no teacher, it is another
        model than the yaml's, the student's test speaker is among the
        teacher's training or validation speakers, or its validation speaker
        among the teacher's training speakers.

    Returns
    -------
    dict or None
        ``UA`` and ``epoch`` of the teacher; None without a teacher.
    """
    if initialisation not in ("teacher", "pretrained"):
        raise InputError(
            f"Bad value '{initialisation}' for initialisation, expected one of "
            "['teacher', 'pretrained']."
        )
    if initialisation == "pretrained" and "objective" not in hparams:
        return None
    remedy = training_command("teacher", hparams)
    _refuse_other_model(teacher_folder, teacher, hparams, remedy)
    summary = recover_best(teacher, f"{teacher_folder}/save", remedy)
    _refuse_held_out_speakers(teacher_folder, hparams["output_folder"], remedy)
    if initialisation == "teacher":
        # here, because the encoders take seconds to import and the baseline has
        # none
        from mlkd_brain.method.lobes import copy_teacher

        copy_teacher(hparams["model"], teacher, hparams["teacher_layers"])
    return summary


def _refuse_other_model(folder, teacher, hparams, remedy):
    """Weights fit another model of the same shapes, which computes otherwise."""
    if not (pathlib.Path(folder) / HPARAMS).is_file():
        return  # there is no run, which is refused next
    run = describe_run(folder)
    built, own = run.get("model"), type(teacher)
    poolings = [x.get("pooling", "mean") for x in (run, hparams)]
    if isinstance(built, Built) and imported(built.class_name) is not own:
        difference = f"model {built.class_name}, not {own.__name__}"
    elif poolings[0] != poolings[1]:
        difference = f"pooling {poolings[0]}, not {poolings[1]}"
    else:
        return
    raise InputError(
        f"{folder}: was trained with {difference}, as this student's yaml has "
        f"it. Give both the same, or train anew: `{remedy}`."
    )


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
