"""What a run's numbers rest on, and that it does not change under them.

Authors
 * The MLKD team 2026
"""

import importlib.metadata
import json
import pathlib
import platform

import speechbrain as sb
import torch
from hyperpyyaml import resolve_references
from ruamel.yaml import YAML

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint, write_json
from mlkd_brain.names import HPARAMS, PROTOCOL

BUILT = "what its yaml builds"  # --vad null takes an object's place
#: Keys that may change between the parts of one run.
CHANGEABLE = {
    "number_of_epochs",
    "num_workers",
    "skip_prep",
    "allow_partial",
    "gradient_checkpointing",
    "save_mixtures",
    "teacher_cache",
    "feature_cache",
}


def refuse_other_settings(hparams_file, overrides, output_folder, heard=()):
    """Refuse to go on in the folder of a run that was started otherwise.

    Folders may move and epochs may be added; anything else would be silently
    ignored, or mixed with what was learned before.

    Arguments
    ---------
    hparams_file : str
        The yaml.
    overrides : str
        Options that replace its keys.
    output_folder : str or pathlib.Path
        Of the run.
    heard : collection of str
        More keys that may change, as in an evaluation.

    Raises
    ------
    InputError
        If the run there has another value for a key.
    """
    before = pathlib.Path(output_folder) / HPARAMS
    if not before.is_file():
        return
    with open(hparams_file, encoding="utf-8") as yaml:
        now = _values(resolve_references(yaml, overrides))
    then = _values(before.read_text(encoding="utf-8"))
    for key in sorted(then.keys() & now.keys() - CHANGEABLE - set(heard)):
        if _fixed(then[key]) != _fixed(now[key]) and not key.endswith(
            "_folder"
        ):
            raise InputError(
                f"{output_folder} was trained with {key} {then[key]}, not "
                f"{now[key]}. Give this run a name of its own with --system, or "
                "delete that folder."
            )


def plain_values(text):
    """Top-level keys of a yaml whose values are no objects; executes nothing.

    Arguments
    ---------
    text : str or file
        HyperPyYAML, resolved.

    Returns
    -------
    dict
        Numbers, strings, lists, mappings and None by key.

    Example
    -------
    >>> plain_values("a: 1\\nb: !new:os.PathLike\\nc: {d: [2]}")
    {'a': 1, 'c': {'d': [2]}}
    """
    values = _values(text)
    return {key: value for key, value in values.items() if value != BUILT}


def _values(text):
    """As ``plain_values``, with ``BUILT`` for what the yaml builds."""
    values = {
        key: value if _is_plain(value) else BUILT
        for key, value in YAML(typ="rt").load(text).items()
    }
    return json.loads(json.dumps(values))


def _fixed(value):
    """A value without what may change in it, as the options of a loader."""
    if not isinstance(value, dict):
        return value
    return {k: _fixed(v) for k, v in value.items() if k not in CHANGEABLE}


def _is_plain(value):
    return getattr(value, "tag", None) is None or value.tag.value is None


def write_protocol(hparams, **facts):
    """Write protocol.json: what a run's numbers rest on.

    Arguments
    ---------
    hparams : dict
        Of the run.
    **facts
        More to write down.

    Raises
    ------
    InputError
        If the run has learned from other speakers, noise or another teacher
        before.
    """
    folder = pathlib.Path(hparams["output_folder"])
    if facts.get("teacher"):
        facts["teacher_speakers"] = _speakers(hparams["teacher_folder"])
    if "noise_heard" in facts:
        facts["noise_ranges"] = noise_ranges(hparams["noise_bank"])
    said = ("system", "seed", "fold", "weighting", "snrs_db")
    card = {
        **{key: hparams[key] for key in said},
        # None: the baseline has no encoder
        "wav2vec2_hub": hparams.get("wav2vec2_hub"),
        "corpus": hparams.get("corpus"),
        "speakers": _speakers(folder),
        **facts,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "speechbrain": sb.__version__,
            "transformers": importlib.metadata.version("transformers"),
        },
    }
    if has_checkpoint(folder) and (folder / PROTOCOL).is_file():
        _refuse_other_facts(folder, json.loads(json.dumps(card)))
    write_json(card, folder / PROTOCOL)


def _speakers(run):
    """Speakers of each part of a run, sorted."""
    return {
        part: sorted(read_manifest(f"{run}/{part}.csv")["spk_id"].unique())
        for part in ("train", "valid", "test")
    }


def noise_ranges(bank):
    """Samples that each part hears, first and the one after the last.

    Arguments
    ---------
    bank : mlkd_brain.noise.bank.NoiseBank
        Prepared.

    Returns
    -------
    dict
        Noise type to part to [first, stop], at 16 kHz.
    """
    return {
        name: {part: list(bank.part_range(name, part)) for part in bank.shares}
        for name in bank.types
    }


def _refuse_other_facts(folder, card):
    before = read_protocol(folder)
    for fact in ("speakers", "noise_heard", "teacher"):
        if before.get(fact) != card.get(fact):
            raise InputError(
                f"{folder}: has been trained with other {fact} than it would go "
                f"on with ({PROTOCOL} there says {before.get(fact)}). Give this "
                "run a name of its own with --system, or delete that folder."
            )


def read_protocol(folder):
    """What ``write_protocol`` wrote.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of a run, or of an evaluation below it.

    Raises
    ------
    InputError
        If there is none.

    Returns
    -------
    dict
        Facts by name.
    """
    path = pathlib.Path(folder) / PROTOCOL
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{path}: is missing or damaged; train the run again."
        ) from None
