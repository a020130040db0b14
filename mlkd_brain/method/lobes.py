"""Speech encoders of the wav2vec 2.0 family, and the classifier on top.

Authors
 * The MLKD team 2026
"""

import contextlib
import copy
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from huggingface_hub import utils as hub
from speechbrain.integrations.huggingface.wav2vec2 import Wav2Vec2
from speechbrain.utils.logger import get_logger
from transformers.utils import logging as transformers_logging

from mlkd_brain.errors import InputError
from mlkd_brain.method.embedded import EMBEDDED, FOLDER
from mlkd_brain.method.padding import (
    ValidGroupNorm,
    mean_over_frames,
    normalise_waveforms,
    samples_of,
    valid_mask,
    zero_padding,
)
from mlkd_brain.method.precision import keep_norms_in_float32

logger = get_logger(__name__)


class Encoding(NamedTuple):
    """An encoder's output, those of its blocks, and which frames are valid."""

    last: torch.Tensor  # (batch, frames, features)
    blocks: list[torch.Tensor]  # each (batch, frames, features)
    frame_mask: torch.Tensor  # True on valid frames, (batch, frames)


class Classification(NamedTuple):
    """Logits, and what the encoder computed on the way."""

    logits: torch.Tensor  # unnormalised scores, (batch, classes), float32
    blocks: list[torch.Tensor]  # each (batch, frames, features)
    frame_mask: torch.Tensor  # True on valid frames, (batch, frames)


class SpeechEncoder(Wav2Vec2):
    """A wav2vec 2.0, HuBERT, WavLM or data2vec-audio encoder.

    It guarantees that an utterance's hidden states do not depend on what it is
    batched with, and that for one utterance they are those of transformers.

    Arguments
    ---------
    source : str
        Hub name, e.g. "facebook/wav2vec2-base", a local folder, or "embedded".
        A local folder is read without any network call.
    save_path : str or pathlib.Path
        Where a download is kept.
    kept_layers : list of int, optional
        Transformer blocks to keep, counted from 1, in order; all by default.
        The paper's student keeps the even ones.
    freeze_feature_extractor : bool
        Whether the conv encoder stays as it was pretrained.
    layerdrop : float
        Probability of skipping a block in training, in [0, 1]. A skipped block
        has no hidden state of its own to distil.
    gradient_checkpointing : bool
        Whether a block's inner activations are computed again for its gradient
        rather than kept: less memory, more time, the same gradient.

    Raises
    ------
    InputError
        If the source cannot be loaded, or a kept layer does not exist.

    Example
    -------
    >>> folder = getfixture("tiny_wav2vec2")
    >>> encoder = SpeechEncoder(folder, kept_layers=[2, 4])
    >>> encoding = encoder(torch.randn(1, 16000))
    >>> len(encoding.blocks), encoding.last.shape
    (2, torch.Size([1, 49, 32]))
    """

    def __init__(
        self,
        source: str,
        save_path: str | pathlib.Path = "pretrained_models",
        kept_layers: Sequence[int] | None = None,
        freeze_feature_extractor: bool = True,
        layerdrop: float = 0.0,
        gradient_checkpointing: bool = False,
    ):
        folder = str(FOLDER) if source == EMBEDDED else source
        try:
            with _quiet_transformers():
                super().__init__(folder, str(save_path))
        except (OSError, ConnectionError) as error:
            raise InputError(
                f"wav2vec2_hub '{source}' cannot be loaded "
                f"({str(error).splitlines()[0]}). Give the name of a model on "
                "the hub, with a network, or a local folder that holds "
                "config.json, preprocessor_config.json and model.safetensors."
            ) from None
        self.model.config.layerdrop = layerdrop
        if freeze_feature_extractor:
            # this also tells transformers not to ask for a gradient of the
            # waveform, for which every conv layer's output would be kept
            # (HuBERT has no public name for it)
            self.model.feature_extractor._freeze_parameters()
        if gradient_checkpointing:
            with _quiet_transformers():
                self.model.gradient_checkpointing_enable(
                    {"use_reentrant": False}
                )
        # masking is off: processes that train together wait for its gradient
        unused = getattr(self.model, "masked_spec_embed", None)
        if unused is not None:
            unused.requires_grad_(False)
        if kept_layers is not None:
            keep_blocks(self.model, kept_layers)
        self._keep_padding_out()
        keep_norms_in_float32(self.model)
        logger.info(
            f"encoder {source}: {len(self.model.encoder.layers)} blocks, "
            f"{sum(p.numel() for p in self.parameters()):,} parameters"
        )

    @property
    def hidden_size(self) -> int:
        """Features of a hidden state."""
        return self.model.config.hidden_size

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

    def _set_lengths(self, samples, frames):
        """Valid lengths of a batch for these modules, None if all are valid."""
        for layer in self._sample_norms:
            kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
            layer.layer_norm.lengths = (
                None if samples is None else (samples - kernel) // stride + 1
            )
        for layer in self._frame_convs:
            layer.lengths = frames

    def extract_features(
        self, wav: torch.Tensor, wav_lens: torch.Tensor | None = None
    ) -> Encoding:
        """Encode a batch of waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            16 kHz waveforms, (batch, time), padded with anything.
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,). At least 25 ms each.

        Returns
        -------
        Encoding
            Hidden states of the encoder and of each block; the mask.
        """
        time = wav.shape[1]
        samples = samples_of(wav_lens, time)
        if samples is not None and bool((samples == time).all()):
            samples = None
        if self.normalize_wav:
            wav = normalise_waveforms(wav, samples)
        frame_mask = self._frame_mask(wav, samples)
        frames, attention_mask = None, None
        if samples is not None:
            frames, attention_mask = (
                frame_mask.sum(1),
                valid_mask(samples, time),
            )
        self._set_lengths(samples, frames)
        output = self.model(
            wav, attention_mask=attention_mask, output_hidden_states=True
        )
        # the first hidden state is the input of block 1
        return Encoding(
            output.last_hidden_state, list(output.hidden_states[1:]), frame_mask
        )

    def count_frames(self, samples: Any) -> Any:
        """Frames that the conv encoder makes of so many samples at 16 kHz."""
        frames = self.model._get_feat_extract_output_lengths(samples)
        return frames if isinstance(samples, torch.Tensor) else int(frames)

    def _frame_mask(self, wav, samples):
        if samples is None:
            samples = torch.full((len(wav),), wav.shape[1], device=wav.device)
        return valid_mask(
            self.count_frames(samples), self.count_frames(wav.shape[1])
        )


@contextlib.contextmanager
def _quiet_transformers():
    """No bar for weights that are read, no warning of what SpeechBrain calls."""
    shown = transformers_logging.is_progress_bar_enabled()
    downloads = not hub.are_progress_bars_disabled()
    transformers_logging.disable_progress_bar()
    if downloads:  # transformers has switched these bars off too
        hub.enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


class EmotionClassifier(torch.nn.Module):
    """Encoder, mean over valid frames, one fully connected layer.

    Teacher and student alike; they differ in the blocks of their encoder.

    Arguments
    ---------
    encoder : SpeechEncoder
        Turns waveforms into hidden states.
    n_classes : int
        Number of emotions.

    Example
    -------
    >>> encoder = SpeechEncoder(getfixture("tiny_wav2vec2"))
    >>> model = EmotionClassifier(encoder, n_classes=4)
    >>> model(torch.randn(2, 8000), torch.tensor([1.0, 0.5])).logits.shape
    torch.Size([2, 4])
    """

    def __init__(self, encoder: SpeechEncoder, n_classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(encoder.hidden_size, n_classes)

    def forward(
        self, wavs: torch.Tensor, wav_lens: torch.Tensor | None = None
    ) -> Classification:
        """Classify a batch of waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time).
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,).

        Returns
        -------
        Classification
            Logits, hidden states and frame mask.
        """
        encoding = self.encoder(wavs, wav_lens)
        pooled = mean_over_frames(encoding.last, encoding.frame_mask)
        with torch.autocast(pooled.device.type, enabled=False):
            logits = self.head(pooled)
        return Classification(logits, encoding.blocks, encoding.frame_mask)


def keep_blocks(model, kept_layers: Sequence[int]) -> None:
    """Cut a transformers encoder down to some of its blocks, in place.

    Arguments
    ---------
    model : transformers.PreTrainedModel
        Of the wav2vec 2.0 family.
    kept_layers : list of int
        Blocks to keep, counted from 1.

    Raises
    ------
    InputError
        If a block does not exist.
    """
    blocks = model.encoder.layers
    if not kept_layers or not all(1 <= k <= len(blocks) for k in kept_layers):
        raise InputError(
            f"teacher_layers is {list(kept_layers)} and the encoder has blocks "
            f"1 to {len(blocks)}; name existing blocks in hparams/student.yaml."
        )
    kept: Any = torch.nn.ModuleList(blocks[k - 1] for k in kept_layers)
    attention = blocks[0].attention
    if hasattr(attention, "rel_attn_embed"):
        # WavLM computes its position bias once, in the first block
        kept[0].attention.rel_attn_embed = attention.rel_attn_embed
    model.encoder.layers = kept
    model.config.num_hidden_layers = len(kept)


def copy_teacher(
    student: EmotionClassifier,
    teacher: EmotionClassifier,
    kept_layers: Sequence[int],
) -> None:
    """Start a student from a trained teacher, in place.

    Block i of the student becomes the teacher's block ``kept_layers[i - 1]``;
    conv encoder, projections, positional conv and classifier are copied too.

    Source: the paper's initialisation, ``kept_layers`` = 2, 4, ..., 12.

    Arguments
    ---------
    student : EmotionClassifier
        Built with the same ``kept_layers``.
    teacher : EmotionClassifier
        Unchanged.
    kept_layers : list of int
        The teacher's blocks, counted from 1, one for each student block.

    Example
    -------
    >>> folder = getfixture("tiny_wav2vec2")
    >>> teacher = EmotionClassifier(SpeechEncoder(folder), 4)
    >>> student = EmotionClassifier(SpeechEncoder(folder, kept_layers=[2]), 4)
    >>> copy_teacher(student, teacher, [2])
    >>> torch.equal(student.head.weight, teacher.head.weight)
    True
    """
    cut = copy.deepcopy(teacher)
    keep_blocks(cut.encoder.model, kept_layers)
    student.load_state_dict(cut.state_dict())


def freeze(model: Any) -> Any:
    """Make a model a fixed reference, in place: no gradient, no dropout.

    Arguments
    ---------
    model : torch.nn.Module
        Returned too.

    Example
    -------
    >>> teacher = freeze(torch.nn.Linear(2, 2))
    >>> teacher.training, teacher.weight.requires_grad
    (False, False)
    """
    return model.eval().requires_grad_(False)
