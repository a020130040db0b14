"""The embedded encoder: a small wav2vec 2.0 that needs no download.

Twelve blocks, so that the even-layer rule holds, 25 frames a second, 2.6 million
parameters. ``--encoder_hub embedded`` is pretrained on nine hours of speech
without labels (``recipes/Speech/pretrain``). With random weights, to compare:

    mlkd random-encoder data/embedded/encoder --seed 1986

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

from mlkd_brain.files import replaced_folder

FOLDER = pathlib.Path(__file__).with_name("embedded_encoder")
EMBEDDED = "embedded"  # its name as encoder_hub
WEIGHTS = "model.safetensors"
LICENCE = "cc-by-4.0"  # of the weights, as of the speech they learned from


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
    with replaced_folder(folder) as unfinished, torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(AutoConfig.from_pretrained(FOLDER))
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
