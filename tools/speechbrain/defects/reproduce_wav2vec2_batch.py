#!/usr/bin/env python3
"""An utterance's output of SpeechBrain's wav2vec2 lobe, alone and in a batch.

> python reproduce_wav2vec2_batch.py

Speechbrain is the one that is installed; PYTHONPATH=CHECKOUT takes another.
The model is small and random: nothing is downloaded.

Authors
 * The MLKD team 2026
"""

import logging
import tempfile

import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from speechbrain.integrations.huggingface.wav2vec2 import Wav2Vec2

NORMS = {"layer": "layer norm (large models)", "group": "group norm (base)"}


def save(folder, norm):
    """Save a model whose convolutions have this norm."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask=True
    ).save_pretrained(folder)


def difference(encode):
    """Largest difference of an utterance's output, alone and padded."""
    torch.manual_seed(1)
    short, long = (0.1 * torch.randn(n) + 0.01 for n in (9000, 16000))
    together, alone = encode([short, long])[:1], encode([short])
    return (together[:, : alone.shape[1]] - alone).abs().max().item()


def by_lobe(folder, output_norm):
    """SpeechBrain's lobe, with relative lengths."""
    lobe = Wav2Vec2(folder, folder, output_norm=output_norm, freeze=True)

    def encode(wavs):
        lengths = torch.tensor([len(wav) for wav in wavs])
        padded = torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)
        return lobe(padded, lengths / lengths.max())

    return encode


def by_transformers(folder):
    """The same model behind the feature extractor of transformers."""
    model = Wav2Vec2Model.from_pretrained(folder).eval()
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)

    @torch.no_grad()
    def encode(wavs):
        batch = extractor(
            [wav.numpy() for wav in wavs],
            sampling_rate=16000,
            padding=True,
            return_tensors="pt",
        )
        return model(**batch).last_hidden_state

    return encode


def figures():
    """The difference by norm of the convolutions and way to the model."""
    found = {}
    for norm in NORMS:
        with tempfile.TemporaryDirectory() as folder:
            save(folder, norm)
            found[norm, "lobe"] = difference(by_lobe(folder, False))
            found[norm, "output_norm"] = difference(by_lobe(folder, True))
            found[norm, "transformers"] = difference(by_transformers(folder))
    return found


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    print("largest difference between an utterance alone and in a batch")
    for (norm, way), value in figures().items():
        print(f"  {NORMS[norm]:26} {way:13} {value:.1e}")
