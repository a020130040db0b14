"""Tiny encoders and corpora that every test can build in seconds.

Authors
 * The MLKD team 2026
"""

import pathlib
import sys

import hypothesis
import pytest
import torch
from speechbrain.utils.importutils import LazyModule
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

REPOSITORY = pathlib.Path(__file__).resolve().parent
CORPORA = REPOSITORY.parent / "shared" / "corpora"
MODELS = REPOSITORY.parent / "shared" / "models"
RECIPE = REPOSITORY / "recipes" / "IEMOCAP" / "MLKD"
sys.path.insert(0, str(RECIPE))
# helper modules that tests of several folders share
sys.path.insert(0, str(REPOSITORY / "tests" / "unit"))
# scripts of the same name in two recipes, without doctests
collect_ignore_glob = [
    "recipes/*/MLKD/train_*.py",
    "recipes/*/MLKD/evaluate.py",
    "recipes/*/MLKD/run_folds.py",
    "recipes/*/MLKD/search_objective.py",
    "recipes/*/*/results/*",  # each run keeps a copy of its script
]

# a busy machine is no failure, and a failure comes back when it is looked at
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems():
    """Let hypothesis look at SpeechBrain's lazy modules without loading them.

    It asks every loaded module for its file; a lazy one whose package is not
    installed answers with an ImportError.
    """
    for module in list(sys.modules.values()):
        if isinstance(module, LazyModule):
            vars(module).setdefault("__file__", None)


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


@pytest.fixture(scope="session")
def encoders(tmp_path_factory):
    """Folder of each kind of encoder, made when it is first asked for."""
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = save_encoder(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return folder


@pytest.fixture(scope="session")
def tiny_wav2vec2(encoders):
    """Folder of a wav2vec 2.0 with 4 blocks of width 32."""
    return encoders("wav2vec2")


@pytest.fixture(scope="session")
def twelve_blocks(tmp_path_factory):
    """Folder of a wav2vec 2.0 as deep as the base model, of width 32."""
    folder = tmp_path_factory.mktemp("twelve_blocks")
    return save_encoder("wav2vec2", folder, num_hidden_layers=12)


@pytest.fixture(scope="session")
def corpora():
    """Real recordings beside the checkout; skips the test without them."""
    if not CORPORA.is_dir():
        pytest.skip("needs the real recordings in ../shared/corpora")
    return CORPORA
