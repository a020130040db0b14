"""The embedded encoder: a small wav2vec 2.0 that needs no download.

Twelve blocks, so that the even-layer rule holds, 25 frames a second, 2.6 million
parameters. ``--encoder_hub embedded`` is pretrained on nine hours of speech
without labels (``recipes/Speech/pretrain``), ``--encoder_hub
embedded_random_1986`` has random weights of that seed. As a folder, for other
programs:

    mlkd random-encoder data/embedded/encoder --seed 1986

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib
import re
from typing import Any

import torch
from mlkd_brain.files import replaced_folder
from safetensors.torch import save_file
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

FOLDER = pathlib.Path(__file__).with_name("embedded_encoder")
EMBEDDED = "embedded"  # its name as encoder_hub
RANDOM = re.compile(r"embedded_random_(\d+)")  # with random weights of a seed
WEIGHTS = "model.safetensors"
LICENCE = "cc-by-4.0"  # of the weights, as of the speech they learned from


def folder_of(source: str | pathlib.Path) -> str:
    """Where an encoder's configuration lies; the source itself of another's.

    Example
    -------
    >>> folder_of("embedded") == folder_of("embedded_random_1") == str(FOLDER)
    True
    >>> folder_of("facebook/wav2vec2-base")
    'facebook/wav2vec2-base'
    """
    ours = source == EMBEDDED or random_seed(source) is not None
    return str(FOLDER) if ours else str(source)


def random_seed(source: str | pathlib.Path) -> int | None:
    """Seed of an encoder's random weights; None of one that is pretrained.

    Example
    -------
    >>> random_seed("embedded_random_1986"), random_seed("embedded")
    (1986, None)
    """
    named = RANDOM.fullmatch(str(source))
    return int(named[1]) if named else None


def random_model(config, seed: int) -> Any:
    """A model of transformers with random weights of a seed.

    Arguments
    ---------
    config : transformers.PretrainedConfig
        Of the model.
    seed : int
        The weights depend on it alone; other random numbers go on as without.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModel.from_config(config)


def save_random_encoder(folder: str | pathlib.Path, seed: int) -> str:
    """Write an encoder of the embedded shape with random weights.

    Arguments
    ---------
    folder : str or pathlib.Path
        Can be given as ``encoder_hub``. Replaced as a whole, and returned.
    seed : int
        Of the random weights.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "encoder"
    >>> _ = save_random_encoder(folder, seed=1986)
    >>> AutoConfig.from_pretrained(folder).num_hidden_layers
    12
    """
    with replaced_folder(folder) as unfinished:
        model = random_model(AutoConfig.from_pretrained(FOLDER), seed)
        model.save_pretrained(unfinished)
        AutoFeatureExtractor.from_pretrained(FOLDER).save_pretrained(unfinished)
    return str(folder)


def save_pretrained_encoder(encoder, folder: str | pathlib.Path) -> str:
    """Write an encoder as an ordinary folder of transformers, in half precision.

    Arguments
    ---------
    encoder : mlkd_brain.method.encoders.SpeechEncoder
        Pretrained, of the embedded shape.
    folder : str or pathlib.Path
        Replaced as a whole.

    Returns
    -------
    str
        SHA-256 of the weights.
    """
    half = {
        name: value.detach().cpu().half().contiguous()
        for name, value in encoder.model.state_dict().items()
    }
    with replaced_folder(folder) as unfinished:
        for name in ("config.json", "preprocessor_config.json"):
            (unfinished / name).write_bytes((FOLDER / name).read_bytes())
        save_file(half, unfinished / WEIGHTS, metadata={"format": "pt"})
        weights = (unfinished / WEIGHTS).read_bytes()
    return hashlib.sha256(weights).hexdigest()
