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

import yaml
from hyperpyyaml import resolve_references
from mlkd_brain.data.folds import missing_labels
from mlkd_brain.data.manifests import FOLD, read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint, write_json, write_text
from mlkd_brain.fingerprint import library_versions
from mlkd_brain.names import HPARAMS, PROTOCOL, TIES
from mlkd_brain.run.description import Built, describe
from mlkd_brain.run.plain_yaml import all_values
from ruamel.yaml.error import YAMLError

FORMER_KEY = "wav2vec2_hub"  # of encoder_hub
#: Keys of a neural system that decide on its steps.
OPTIMISATION = ("precision", "grad_accumulation_factor", "max_grad_norm")
RECORDED = (*OPTIMISATION, "noise_per")
#: Keys that may change when a run is resumed.
CHANGEABLE = {
    "noise_cache",  # as every folder
    "train_log",
    "number_of_epochs",
    "epoch_counter",  # made from it, also inside of what counts epochs
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
        now = _values(resolve_references(stream, overrides).getvalue())
    then = read_settings(before)
    keys = then.keys() & now.keys() - CHANGEABLE - {*also_changeable}
    # a plain value first, then what is built with it
    for key in sorted(keys, key=lambda k: (isinstance(then[k], dict), k)):
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
        return _values(pathlib.Path(path).read_text(encoding="utf-8"))
    except (
        OSError,
        ValueError,
        AttributeError,
        YAMLError,
        yaml.YAMLError,
    ) as error:
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


def _values(text):
    """Values of a resolved yaml, and the class of the model that it builds.

    Two classes with the same weights would pass for one another.
    """
    model = describe(text).get("model")
    own = {"model": model.class_name} if isinstance(model, Built) else {}
    return {**all_values(text), **own}


def _fixed(value):
    """A value without what may change in it, as the options of a loader."""
    if not isinstance(value, dict):
        return value
    return {k: _fixed(v) for k, v in value.items() if k not in CHANGEABLE}


def write_protocol(
    hparams: dict[str, Any], noise_grid: Any, device: str = "cpu", **facts
) -> None:
    """Write protocol.json: what a run's numbers depend on.

    Arguments
    ---------
    hparams : dict
        Of the run.
    noise_grid : mlkd_brain.evaluation.noise_grid.NoiseGrid
        Of the run's own evaluation: its noise, weighting and SNRs.
    device : str
        Where the run computes; its kind is recorded, e.g. "cuda".
    **facts
        More to be written, by name.

    Raises
    ------
    InputError
        If a checkpoint of the run comes from other speakers, other noise or
        another teacher.
    """
    folder = pathlib.Path(hparams["output_folder"])
    parts = _parts(folder)
    if facts.get("teacher"):
        teacher_parts = _parts(hparams["teacher_folder"])
        facts["teacher_speakers"] = _speakers(teacher_parts)
    bank = noise_grid.bank
    if bank.noise_folder.is_dir():  # a teacher learns without
        if not bank.checksums:
            bank.prepare()
        facts["noise_evaluated"] = bank.checksums
        facts["noise_fingerprints"] = bank.fingerprints
    if "noise_heard" in facts:
        facts["noise_ranges"] = noise_ranges(bank)
    libraries = library_versions("torch", "speechbrain", "transformers")
    protocol = {
        **{key: hparams[key] for key in ("system", "seed", "fold")},
        "weighting": noise_grid.weighting,
        "snrs_db": noise_grid.snrs_db,
        # None: the baseline has no encoder
        "encoder_hub": hparams.get("encoder_hub"),
        "epochs_that_tie": TIES,
        **{key: hparams[key] for key in RECORDED if key in hparams},
        "device": device_kind(device),
        "processes": int(os.environ.get("WORLD_SIZE", 1)),
        "fold_groups": hparams.get("fold_groups") or _named_folds(parts),
        "speakers": _speakers(parts),
        "utterances": {part: len(table) for part, table in parts.items()},
        "missing_labels": _missing(parts, hparams["emotions"]),
        **_rooms(hparams.get("reverberation")),
        **_unlabelled(hparams.get("unlabelled")),
        **facts,
        "versions": {"python": platform.python_version(), **libraries},
    }
    if has_checkpoint(folder) and (folder / PROTOCOL).is_file():
        before = read_protocol(folder)
        _refuse_other_facts(folder, before, json.loads(json.dumps(protocol)))
        protocol = {**before, **protocol}  # what was evaluated stays
    write_json(protocol, folder / PROTOCOL)


def device_kind(device: str) -> str:
    """Kind of a device, whose numbers differ from those of another kind.

    Example
    -------
    >>> device_kind("cuda:1")
    'cuda'
    """
    return str(device).partition(":")[0]


def _rooms(reverberation):
    """Impulse responses of the training, where there are any."""
    if reverberation is None or not reverberation.checksums:
        return {}
    return {"impulse_responses": reverberation.checksums}


def _unlabelled(speech):
    """Speech without labels in the training, where there is any."""
    return {"unlabelled": speech.facts} if speech and speech.facts else {}


def _parts(run):
    """Utterances of each part of a run."""
    return {
        part: read_manifest(f"{run}/{part}.csv")
        for part in ("train", "valid", "test")
    }


def _speakers(parts):
    """Speakers of each part, sorted."""
    return {p: sorted(t["spk_id"].unique()) for p, t in parts.items()}


def _named_folds(parts):
    """How many folds the corpus names, None where it names none."""
    tables = [table for table in parts.values() if FOLD in table]
    return len({name for t in tables for name in t[FOLD].unique()}) or None


def _missing(parts, emotions):
    """Labels that a part lacks, where there are any."""
    lacking = {p: missing_labels(t, emotions) for p, t in parts.items()}
    return {part: names for part, names in lacking.items() if names}


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
    facts = [
        "speakers",
        "noise_heard",
        "impulse_responses",
        "unlabelled",
        "teacher",
        "processes",
    ]
    # a teacher may get its noise later; earlier versions left some out, or wrote
    # "None" for the device that torch chose
    known = {key for key, value in before.items() if value != "None"}
    facts += {"noise_evaluated", "device"} & known & protocol.keys()
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
