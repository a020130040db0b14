"""A trained model as a folder that plain transformers loads.

Authors
 * The MLKD team 2026
"""

import pathlib

import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.inference.loading import TrainedRun, encoder_settings
from transformers import (
    AutoConfig,
    AutoModelForAudioClassification,
    Wav2Vec2FeatureExtractor,
)

ONE_AT_A_TIME = (
    "one recording at a time, or several of equal length: padding would change "
    "the scores, so the preprocessor has no padding value and refuses to pad"
)
MASKED = "any, with the attention mask that the preprocessor returns"
#: Change of a logit that rounding explains, in parts of the largest one.
ROUNDING = 1e-4


def to_hf(run: TrainedRun, folder: pathlib.Path) -> str:
    """Write a folder that plain transformers loads.

    Where the encoder has a group norm (wav2vec 2.0 base) or several positional
    convolutions (data2vec), transformers lets padding change the scores, with
    an attention mask too. Whether it does is measured, and then nothing can be
    padded: a wrong label without a word would be worse than an error.

    Arguments
    ---------
    run : mlkd_brain.inference.loading.TrainedRun
        What is exported.
    folder : pathlib.Path
        Exists.

    Returns
    -------
    str
        How recordings can be batched; ``batching`` in config.json.
    """
    model = AutoModelForAudioClassification.from_config(_config(run)).eval()
    getattr(model, model.base_model_prefix).load_state_dict(
        run.model.encoder.model.state_dict()
    )
    # their head projects, averages over time, classifies; ours projects nothing
    model.projector.weight.data.fill_(0).fill_diagonal_(1)
    model.projector.bias.data.fill_(0)
    model.classifier.load_state_dict(run.model.head.state_dict())
    reached = padding_changes_logits(model)
    model.config.batching = ONE_AT_A_TIME if reached else MASKED
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        sampling_rate=SAMPLE_RATE,
        do_normalize=run.model.encoder.normalize_wav,
        return_attention_mask=True,
        padding_value=None if reached else 0.0,
    ).save_pretrained(folder)
    return model.config.batching


def _config(run):
    settings = encoder_settings(run.model.encoder)
    config = AutoConfig.for_model(**settings["config"])
    config.layerdrop = 0.0
    config.use_weighted_layer_sum = False
    config.classifier_proj_size = config.hidden_size
    config.id2label = dict(enumerate(run.emotions))
    config.label2id = {name: i for i, name in enumerate(run.emotions)}
    return config


def padding_changes_logits(model: torch.nn.Module) -> bool:
    """Whether a masked padding reaches the logits of a transformers model.

    Arguments
    ---------
    model : torch.nn.Module
        Of ``AutoModelForAudioClassification``, in eval mode; it is run on half
        a second of noise, alone and padded to two seconds.
    """
    random = torch.Generator().manual_seed(0)
    wavs = torch.randn(1, SAMPLE_RATE // 2, generator=random)
    mask = torch.ones_like(wavs, dtype=torch.int32)
    padding = (0, 3 * SAMPLE_RATE // 2)
    with torch.inference_mode():
        alone = model(wavs, attention_mask=mask).logits
        padded = model(
            torch.nn.functional.pad(wavs, padding),
            attention_mask=torch.nn.functional.pad(mask, padding),
        ).logits
    largest = alone.abs().max()
    return bool((padded - alone).abs().max() > ROUNDING * largest)
