"""Randomly initialised encoders of every kind, small enough for a test.

Authors
 * The MLKD team 2026
"""

import torch
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embedding_groups": 2,
    "layerdrop": 0.0,
}
PRE_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
POSITIONS = {"num_conv_pos_embeddings": 16}
FAMILY = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model, POSITIONS),
    "wav2vec2_layer_norm": (
        Wav2Vec2Config,
        Wav2Vec2Model,
        {**POSITIONS, **PRE_NORM},
    ),
    "hubert": (HubertConfig, HubertModel, POSITIONS),
    "wavlm": (WavLMConfig, WavLMModel, POSITIONS),
    "data2vec": (
        Data2VecAudioConfig,
        Data2VecAudioModel,
        {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5},
    ),
}
TINY_WHISPER = {
    "d_model": 32,
    "encoder_layers": 4,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 8,
    "vocab_size": 16,
    "max_target_positions": 4,
    "pad_token_id": 0,
}


def save_encoder(kind, folder, **changes):
    """Save a randomly initialised encoder as an ordinary local HF folder."""
    torch.manual_seed(0)
    if kind == "whisper":
        WhisperModel(
            WhisperConfig(**{**TINY_WHISPER, **changes})
        ).save_pretrained(folder)
        WhisperFeatureExtractor().save_pretrained(folder)
        return str(folder)
    config, model, options = FAMILY[kind]
    model(config(**{**TINY, **options, **changes})).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask=False
    ).save_pretrained(folder)
    return str(folder)
