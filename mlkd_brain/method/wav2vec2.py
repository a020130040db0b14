"""Encoders of the wav2vec 2.0 family: conv layers over the waveform, then blocks.

Authors
 * The MLKD team 2026
"""

import pathlib

import torch
from mlkd_brain.method.encoders import Encoding, SpeechEncoder
from mlkd_brain.method.padding import ValidGroupNorm, valid_mask, zero_padding
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

#: transformers' attention, its mask made without a look at it.
UNASKED = "sdpa_mask_unasked"


def _unasked_mask(*, attention_mask, **kwargs):
    """transformers' mask, None only where none was given.

    Transformers leaves a mask out that masks nothing; to find that out a GPU is
    waited for until the convolutions are done.
    """
    kwargs["allow_is_bidirectional_skip"] = attention_mask is None
    return sdpa_mask(attention_mask=attention_mask, **kwargs)


AttentionInterface.register(UNASKED, sdpa_attention_forward)
AttentionMaskInterface.register(UNASKED, _unasked_mask)


class Wav2Vec2Encoder(SpeechEncoder):
    """wav2vec 2.0, HuBERT, WavLM or data2vec-audio; see ``SpeechEncoder``."""

    def _take_settings(self, source, save_path):
        self.model.config.apply_spec_augment = False
        if _says_nothing(pathlib.Path(source)):
            self.normalize_wav = normalises_by_default(self.model.config)
            logger.warning(
                f"encoder {source} has no preprocessor_config.json; waveforms "
                f"are {'' if self.normalize_wav else 'not '}normalised to zero "
                "mean and unit variance, as its family was pretrained."
            )
        else:
            self.load_feature_extractor(source, cache_dir=save_path)
            self.normalize_wav = bool(self.feature_extractor.do_normalize)

    @property
    def conv_modules(self) -> list[torch.nn.Module]:
        """The conv layers."""
        return [self.model.feature_extractor]

    def _freeze_convs(self):
        # this also tells transformers not to ask for a gradient of the
        # waveform, for which every conv layer's output would be kept
        # (HuBERT has no public name for it)
        self.model.feature_extractor._freeze_parameters()

    def _prepare(self):
        super()._prepare()
        self.model.encoder.register_forward_pre_hook(self._augment)
        if self.model.config._attn_implementation == "sdpa":
            self.model.config._attn_implementation = UNASKED
        self._keep_padding_out()

    def _keep_padding_out(self):
        """Install the modules of ``mlkd_brain.method.padding``."""
        first = self.model.feature_extractor.conv_layers[0]
        self._sample_norms, self._frame_convs = [], []
        if isinstance(getattr(first, "layer_norm", None), torch.nn.GroupNorm):
            first.layer_norm = ValidGroupNorm(first.layer_norm)
            self._sample_norms = [first]
        positional = self.model.encoder.pos_conv_embed
        # data2vec stacks several layers, the others have one
        for layer in getattr(positional, "layers", []):
            layer.register_forward_pre_hook(zero_padding)
            self._frame_convs.append(layer)

    def _augment(self, transformer, inputs):
        """Forward pre-hook of the transformer, whose input is masked."""
        if self.augmentation is None:
            return None
        hidden, *others = inputs
        return self.augmented(hidden, self._valid_frames), *others

    def _set_lengths(self, samples, frames):
        """Valid lengths of a batch for these modules, None if all are valid."""
        for layer in self._sample_norms:
            kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
            layer.layer_norm.lengths = (
                None if samples is None else (samples - kernel) // stride + 1
            )
        for layer in self._frame_convs:
            layer.lengths = frames

    @property
    def block_list(self) -> torch.nn.ModuleList:
        """The transformer blocks."""
        return self.model.encoder.layers

    def _set_blocks(self, blocks):
        attention = self.block_list[0].attention
        if hasattr(attention, "rel_attn_embed"):
            # WavLM computes its position bias once, in the first block
            blocks[0].attention.rel_attn_embed = attention.rel_attn_embed
        self.model.encoder.layers = torch.nn.ModuleList(blocks)

    def encode(
        self, wav: torch.Tensor, samples: torch.Tensor | None
    ) -> Encoding:
        """Encode normalised waveforms; ``samples`` are None if all are valid."""
        frame_mask = self._frame_mask(wav, samples)
        frames, attention_mask = None, None
        if samples is not None:
            frames = frame_mask.sum(1)
            attention_mask = valid_mask(samples, wav.shape[1], wav.device)
        self._set_lengths(samples, frames)
        self._valid_frames = frame_mask
        output = self.model(
            wav, attention_mask=attention_mask, output_hidden_states=True
        )
        # the first hidden state is the input of block 1
        return Encoding(
            output.last_hidden_state, list(output.hidden_states[1:]), frame_mask
        )

    def count_frames(self, samples):
        """Frames that are made of so many samples (int or tensor) at 16 kHz."""
        frames = self.model._get_feat_extract_output_lengths(samples)
        return frames if isinstance(samples, torch.Tensor) else int(frames)


def _says_nothing(folder):
    """Whether a local folder does not say how waveforms are prepared."""
    names = ("preprocessor_config.json", "processor_config.json")
    return folder.is_dir() and not any((folder / n).is_file() for n in names)


def normalises_by_default(config) -> bool:
    """Whether a model without preprocessor_config.json gets normalised speech.

    Arguments
    ---------
    config : transformers.PretrainedConfig
        Of the model.

    Example
    -------
    >>> from transformers import HubertConfig, WavLMConfig
    >>> (
    ...     normalises_by_default(HubertConfig()),
    ...     normalises_by_default(WavLMConfig()),
    ... )
    (True, False)
    """
    # all published models do, but WavLM base, which was pretrained without
    return (
        config.model_type != "wavlm"
        or getattr(config, "feat_extract_norm", "layer") == "layer"
    )
