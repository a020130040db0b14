"""What a run's numbers depend on, and that a resumed run does not change it.

Authors
 * The MLKD team 2026
"""

import json
import os
import pathlib
import platform
from collections.abc import Collection
from typing import Any

from hyperpyyaml import resolve_references
from ruamel.yaml.error import YAMLError

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint, write_json, write_text
from mlkd_brain.fingerprint import library_versions
from mlkd_brain.names import HPARAMS, PROTOCOL
from mlkd_brain.run.plain_yaml import all_values

FORMER_KEY = "wav2vec2_hub"  # of encoder_hub
#: Keys of a neural system that decide on its steps.
OPTIMISATION = ("precision", "grad_accumulation_factor", "max_grad_norm")
#: Keys that may change when a run is resumed.
CHANGEABLE = {
    "number_of_epochs",
    "num_workers",
    "ckpt_interval_minutes",
    "skip_prep",
    "allow_partial",
    "gradient_checkpointing",
    "save_mixtures",
    "tracker",
    "teacher_cache",
    "feature_cache",
}


def refuse_other_settings(
    hparams_file: str | pathlib.Path,
    overrides: str,
    output_folder: str | pathlib.Path,
    also_changeable: Collection[str] = (),
) -> None:
    """Refuse to resume a run with other settings than it was started with.

    Folders may move and epochs may be added; any other change would be ignored
    or mixed with what was learned before.

    Arguments
    ---------
    hparams_file : str or pathlib.Path
        The yaml.
    overrides : str
        Options that replace its keys.
    output_folder : str or pathlib.Path
        Of the run.
    also_changeable : collection of str
        More keys that may change, as in an evaluation.

    Raises
    ------
    InputError
        If the run there has another value for a key.
    """
    before = pathlib.Path(output_folder) / HPARAMS
    # without a checkpoint nothing of the earlier start is used
    if not before.is_file() or not has_checkpoint(output_folder):
        return
    with open(hparams_file, encoding="utf-8") as stream:
        now = all_values(resolve_references(stream, overrides))
    then = read_settings(before)
    for key in sorted(
        then.keys() & now.keys() - CHANGEABLE - {*also_changeable}
    ):
        same = _fixed(then[key]) == _fixed(now[key])
        if not same and not key.endswith("_folder"):
            raise InputError(
                f"{output_folder} was trained with {key} {then[key]}, not "
                f"{now[key]}. Give this run a name of its own with --system, or "
                "delete that folder."
            )


def read_settings(path: str | pathlib.Path) -> dict[str, Any]:
    """Keys and values of a run's hyperparams.yaml; nothing is executed.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        return all_values(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError, YAMLError) as error:
        raise InputError(
            f"{path}: cannot be read ({type(error).__name__}), so that nobody "
            "knows with what the run was started. Put a copy in its place, or "
            "delete the folder and train anew."
        ) from None


def keep_settings(
    hparams_file: str | pathlib.Path, overrides: str, hparams: dict[str, Any]
) -> None:
    """Write a run's hyperparams.yaml, whole or not at all.

    Arguments
    ---------
    hparams_file : str or pathlib.Path
        The yaml.
    overrides : str
        Options that replace its keys.
    hparams : dict
        Of the run; the file goes to ``output_folder``.
    """
    with open(hparams_file, encoding="utf-8") as stream:
        resolved = resolve_references(stream, overrides).read()
    head = (
        f"# From {pathlib.Path(hparams_file).absolute()}\n# yamllint disable\n"
    )
    write_text(
        head + resolved, pathlib.Path(hparams["output_folder"]) / HPARAMS
    )


def _fixed(value):
    """A value without what may change in it, as the options of a loader."""
    if not isinstance(value, dict):
        return value
    return {k: _fixed(v) for k, v in value.items() if k not in CHANGEABLE}


def write_protocol(hparams: dict[str, Any], **facts) -> None:
    """Write protocol.json: what a run's numbers depend on.

    Among it the noise, weighting and SNRs of the run's own evaluation.

    Arguments
    ---------
    hparams : dict
        Of the run.
    **facts
        More to be written, by name.

    Raises
    ------
    InputError
        If a checkpoint of the run comes from other speakers, other noise or
        another teacher.
    """
    folder = pathlib.Path(hparams["output_folder"])
    if facts.get("teacher"):
        facts["teacher_speakers"] = _speakers(hparams["teacher_folder"])
    bank = hparams["noise_bank"]
    if bank.noise_folder.is_dir():  # a teacher learns without
        bank.prepare()
        facts["noise_evaluated"] = bank.checksums
        facts["noise_fingerprints"] = bank.fingerprints
    if "noise_heard" in facts:
        facts["noise_ranges"] = noise_ranges(bank)
    keys = ("system", "seed", "fold", "weighting", "snrs_db")
    libraries = library_versions("torch", "speechbrain", "transformers")
    protocol = {
        **{key: hparams[key] for key in keys},
        # None: the baseline has no encoder
        "encoder_hub": hparams.get("encoder_hub"),
        "corpus": hparams.get("corpus"),
        **{key: hparams[key] for key in OPTIMISATION if key in hparams},
        "processes": int(os.environ.get("WORLD_SIZE", 1)),
        "fold_groups": hparams.get("fold_groups"),
        "speakers": _speakers(folder),
        "utterances": _utterances(folder),
        **facts,
        "versions": {"python": platform.python_version(), **libraries},
    }
    if has_checkpoint(folder) and (folder / PROTOCOL).is_file():
        before = read_protocol(folder)
        _refuse_other_facts(folder, before, json.loads(json.dumps(protocol)))
        protocol = {**before, **protocol}  # what was evaluated stays
    write_json(protocol, folder / PROTOCOL)


def _speakers(run):
    """Speakers of each part of a run, sorted."""
    return {
        part: sorted(read_manifest(f"{run}/{part}.csv")["spk_id"].unique())
        for part in ("train", "valid", "test")
    }


def _utterances(run):
    """Number of utterances in each part of a run."""
    return {
        part: len(read_manifest(f"{run}/{part}.csv"))
        for part in ("train", "valid", "test")
    }


def noise_ranges(bank) -> dict[str, dict[str, list[int]]]:
    """Part of each recording of a prepared ``NoiseBank`` that each part uses.

    Returns
    -------
    dict
        Noise type to part to [start, stop], samples at 16 kHz.
    """
    return {
        name: {part: list(bank.part_range(name, part)) for part in bank.shares}
        for name in bank.types
    }


def _refuse_other_facts(folder, before, protocol):
    facts = ["speakers", "noise_heard", "teacher", "processes"]
    if before.keys() & protocol.keys() & {"noise_evaluated"}:
        facts.append("noise_evaluated")  # a teacher may get its noise later
    for fact in facts:
        if before.get(fact) != protocol.get(fact):
            raise InputError(
                f"{folder}: was trained with another value of {fact} than it "
                f"would be resumed with: {before.get(fact)} in its {PROTOCOL}. "
                "Give this run a name of its own with --system, or delete that "
                "folder."
            )


def read_protocol(folder: str | pathlib.Path) -> dict[str, Any]:
    """Read protocol.json of a run, or of an evaluation below it.

    Raises
    ------
    InputError
        If there is none.
    """
    path = pathlib.Path(folder) / PROTOCOL
    try:
        protocol = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{path}: is missing or damaged; train the run again."
        ) from None
    if FORMER_KEY in protocol:  # in archives of earlier studies
        protocol["encoder_hub"] = protocol.pop(FORMER_KEY)
    return protocol
