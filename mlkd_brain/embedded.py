"""The embedded encoder: a small wav2vec 2.0 that needs no download.

Twelve blocks, so that the even-layer rule holds, 2.5 million parameters. Its
weights are random: it has never heard speech, and a teacher that starts from it
learns from the corpus alone.

    python -m mlkd_brain.embedded data/embedded/encoder --seed 1986

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

from mlkd_brain.files import replaced_folder

SHAPE = pathlib.Path(__file__).with_name("embedded_encoder")


def save_embedded_encoder(folder, seed):
    """Write the encoder as an ordinary local folder of transformers.

    Arguments
    ---------
    folder : str or pathlib.Path
        Can be given as ``wav2vec2_hub``. Replaced as a whole.
    seed : int
        Of the random weights.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "encoder"
    >>> save_embedded_encoder(folder, seed=1986)
    >>> AutoModel.from_pretrained(folder).config.num_hidden_layers
    12
    """
    with replaced_folder(folder) as unfinished, torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(AutoConfig.from_pretrained(SHAPE))
        model.save_pretrained(unfinished)
        AutoFeatureExtractor.from_pretrained(SHAPE).save_pretrained(unfinished)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    save_embedded_encoder(options.folder, options.seed)
