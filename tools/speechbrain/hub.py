#!/usr/bin/env python3
"""A model hub's cache with a small encoder under the name of the paper's.

> python tools/speechbrain/hub.py FOLDER

Authors
 * The MLKD team 2026
"""

import pathlib
import sys

from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

NAME = "facebook/wav2vec2-base"
REVISION = "0" * 40


def write(folder):
    """Write what ``pretrained_folder`` holds after a download.

    Arguments
    ---------
    folder : pathlib.Path
        A new one.
    """
    model = folder / f"models--{NAME.replace('/', '--')}"
    snapshot = model / "snapshots" / REVISION
    config = Wav2Vec2Config(
        hidden_size=32,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(snapshot)
    Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask=False
    ).save_pretrained(snapshot)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(REVISION)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
