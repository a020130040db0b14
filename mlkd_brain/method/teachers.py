"""Trained models from earlier runs: the teacher of a student, the best epoch.

Authors
 * The MLKD team 2026
"""

import pathlib

from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.logger import get_logger

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS
from mlkd_brain.run.protocol import plain_values

logger = get_logger(__name__)

#: Script to the systems that have a yaml of their own.
TRAINED_BY = {
    "train_teacher.py": ("teacher",),
    "train_student.py": ("student", "student_unsupervised"),
    "train_baseline.py": ("vad_nmf",),
}


def recover_best(model, save_folder, remedy):
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
        If there is none, or it belongs to another encoder.

    Returns
    -------
    dict
        ``UA`` and ``epoch`` of the checkpoint.
    """
    checkpoint = None
    if pathlib.Path(save_folder).is_dir():
        checkpointer = Checkpointer(save_folder, {"model": model})
        checkpoint = checkpointer.find_checkpoint(max_key="UA")
    if checkpoint is None:
        raise InputError(
            f"{save_folder}: holds no trained model; make it with `{remedy}`."
        )
    try:
        checkpointer.load_checkpoint(checkpoint)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint.path}: was trained with another encoder or other "
            f"blocks ({str(error).splitlines()[-1].strip()}). Give the same "
            f"--wav2vec2_hub, or train anew: `{remedy}`."
        ) from None
    _warn_of_early_stop(checkpointer, pathlib.Path(save_folder).parent)
    return {key: checkpoint.meta[key] for key in ("UA", "epoch")}


def _warn_of_early_stop(checkpointer, run):
    """A run that was interrupted can be used, but not unknowingly."""
    if not (run / HPARAMS).is_file():
        return
    limit = plain_values((run / HPARAMS).read_text()).get("number_of_epochs")
    if limit is None:  # learned at once
        return
    last = max(c.meta["epoch"] for c in checkpointer.list_checkpoints())
    if last < limit:
        logger.warning(f"{run}: was trained for {last} of {limit} epochs.")


def load_teacher(teacher, teacher_folder, output_folder, remedy):
    """Load a trained teacher, unless it has learned from a held-out speaker.

    Arguments
    ---------
    teacher : EmotionClassifier
        Filled in place.
    teacher_folder : str or pathlib.Path
        The teacher's run.
    output_folder : str or pathlib.Path
        The student's run, with its train.csv, valid.csv and test.csv.
    remedy : str
        Command that trains this fold's teacher.

    Raises
    ------
    InputError
        If there is no teacher, or the student's test speaker was heard in its
        training or chose its epoch, or the validation speaker was heard in its
        training.
    """
    summary = recover_best(teacher, f"{teacher_folder}/save", remedy)
    heard = {
        part: set(read_manifest(f"{teacher_folder}/{part}.csv")["spk_id"])
        for part in ("train", "valid")
    }
    for part, allowed in (("test", ()), ("valid", ("valid",))):
        speakers = set(read_manifest(f"{output_folder}/{part}.csv")["spk_id"])
        for teacher_part in {"train", "valid"} - set(allowed):
            shared = sorted(speakers & heard[teacher_part])
            if shared:
                raise InputError(
                    f"{teacher_folder}/{teacher_part}.csv: the teacher has heard "
                    f"{', '.join(shared)}, the student's {part} speaker. Use "
                    f"the same fold's teacher: `{remedy}`."
                )
    return summary


def start_student(hparams):
    """Load the teacher where one is needed, and start the student.

    ``initialisation`` "teacher" copies the trained teacher's blocks (the
    paper's), "pretrained" leaves the student as the pretrained encoder's.

    Arguments
    ---------
    hparams : dict
        Of the student's run.

    Raises
    ------
    InputError
        If ``initialisation`` is neither, or the teacher cannot be used.

    Returns
    -------
    dict or None
        What chose the teacher's epoch; None without a teacher.
    """
    initialisation = hparams["initialisation"]
    if initialisation not in ("teacher", "pretrained"):
        raise InputError(
            f"Bad value '{initialisation}' for initialisation, expected one of "
            "['teacher', 'pretrained']."
        )
    if initialisation == "pretrained" and "objective" not in hparams:
        return None
    summary = load_teacher(
        hparams["teacher"],
        hparams["teacher_folder"],
        hparams["output_folder"],
        remedy=training_command("teacher", hparams),
    )
    if initialisation == "teacher":
        # here, because the encoders take seconds to import and the baseline has
        # none
        from mlkd_brain.method.lobes import copy_teacher

        copy_teacher(
            hparams["model"], hparams["teacher"], hparams["teacher_layers"]
        )
    return summary


def training_command(system, hparams):
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
