"""Pretrained speech encoders behind one interface: waveforms to hidden states.

``SpeechEncoder(source)`` picks the class by the model's own configuration:
``mlkd_brain.method.wav2vec2`` for wav2vec 2.0, HuBERT, WavLM and
data2vec-audio, ``mlkd_brain.method.whisper`` for Whisper.

Authors
 * The MLKD team 2026
"""

import contextlib
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from huggingface_hub import utils as hub
from mlkd_brain.errors import InputError
from mlkd_brain.method.embedded import folder_of, random_model, random_seed
from mlkd_brain.method.padding import (
    grid_length,
    normalise_waveforms,
    samples_of,
    valid_mask,
)
from mlkd_brain.method.precision import keep_norms_in_float32
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel
from transformers.utils import logging as transformers_logging

from speechbrain.integrations.huggingface.huggingface import (
    HFTransformersInterface,
)
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

#: Weights that only masking in pretraining uses; some models come without them.
UNUSED = ("masked_spec_embed",)
DOWNLOADS = "pretrained_models"  # folder of what the hub gave


def on_grid(device: torch.device) -> bool:
    """Whether batches are padded to ``padding.grid_length`` on a device."""
    return device.type == "cuda"


class Encoding(NamedTuple):
    """An encoder's output, those of its blocks, and which frames are valid."""

    last: torch.Tensor  # (batch, frames, features)
    blocks: list[torch.Tensor]  # each (batch, frames, features)
    frame_mask: torch.Tensor  # True on valid frames, (batch, frames)


class SpeechEncoder(HFTransformersInterface):
    """A pretrained speech encoder of transformers; picks its own subclass.

    It guarantees that an utterance's hidden states do not depend on what it is
    batched with, and that for one utterance they are those of transformers.

    Arguments
    ---------
    source : str
        Hub name, e.g. "facebook/wav2vec2-base" or "openai/whisper-tiny.en", a
        local folder, "embedded", or "embedded_random_<seed>". A local folder is
        read without any network call.
    save_path : str or pathlib.Path
        Where a download is kept.
    kept_layers : list of int, optional
        Transformer blocks to keep, counted from 1, in order; all by default.
        The paper's student keeps the even ones.
    freeze_feature_extractor : bool
        Whether the conv layers stay as they were pretrained.
    freeze_transformer : bool
        Whether all the other layers stay as they were.
    layerdrop : float
        Probability of skipping a block in training, in [0, 1]. A skipped block
        has no hidden state of its own to distil.
    gradient_checkpointing : bool
        Whether a block's inner activations are computed again for its gradient
        rather than kept: less memory, more time, the same gradient.
    augmentation : mlkd_brain.method.spec_augment.SpecAugment, optional
        Masks what the transformer gets, in training.

    Raises
    ------
    InputError
        If the source cannot be loaded, lacks weights of the encoder, or a kept
        layer does not exist.

    Example
    -------
    >>> folder = getfixture("tiny_wav2vec2")
    >>> encoder = SpeechEncoder(folder, kept_layers=[2, 4])
    >>> encoding = encoder(torch.randn(1, 16000))
    >>> len(encoding.blocks), encoding.last.shape
    (2, torch.Size([1, 49, 32]))
    """

    normalize_wav = False  # whether waveforms are normalised first
    augmentation: Any = None
    model: Any

    def __new__(
        cls, source: str = "", save_path: Any = DOWNLOADS, *args, **kwargs
    ):
        """An instance of the subclass for the source's kind of model."""
        if cls is SpeechEncoder:
            with _readable(source):
                config = AutoConfig.from_pretrained(
                    folder_of(source), cache_dir=str(save_path)
                )
            cls = family_of(config.model_type)
        return super().__new__(cls)

    def __init__(
        self,
        source: str,
        save_path: str | pathlib.Path = DOWNLOADS,
        kept_layers: Sequence[int] | None = None,
        freeze_feature_extractor: bool = True,
        layerdrop: float = 0.0,
        gradient_checkpointing: bool = False,
        freeze_transformer: bool = False,
        augmentation: Any = None,
    ):
        self.source = source
        with _readable(source), _quiet_transformers():
            super().__init__(folder_of(source), str(save_path))
            self._take_settings(folder_of(source), str(save_path))
        seed = random_seed(source)
        if seed is not None:
            self.model = random_model(self.model.config, seed)
        self._set_layerdrop(layerdrop)
        if freeze_transformer:
            self._freeze_transformer()
        if freeze_feature_extractor:
            self._freeze_convs()
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
            self.keep_blocks(kept_layers)
        self._prepare()
        self.augmentation = augmentation
        logger.info(
            f"encoder {source}: {len(self.block_list)} blocks, "
            f"{sum(p.numel() for p in self.parameters()):,} parameters"
        )

    @classmethod
    def from_config(
        cls, config: dict[str, Any], normalize_wav: bool
    ) -> "SpeechEncoder":
        """An encoder whose weights are still to be loaded.

        Arguments
        ---------
        config : dict
            Of a transformers model, with its ``model_type``; its number of
            layers is that of the blocks that were kept.
        normalize_wav : bool
            Whether waveforms are normalised to zero mean and unit variance.

        Returns
        -------
        SpeechEncoder
            With random weights.
        """
        family = family_of(config["model_type"])
        encoder = family.__new__(family)
        torch.nn.Module.__init__(encoder)
        encoder.config = AutoConfig.for_model(**config)
        encoder.model = family.build(encoder.config)
        encoder.normalize_wav = normalize_wav
        encoder._prepare()
        return encoder

    @staticmethod
    def build(config) -> torch.nn.Module:
        """The model of a configuration, with random weights."""
        return AutoModel.from_config(config)

    def _from_pretrained(self, source, save_path, cache_dir, **kwargs):
        """SpeechBrain's, refusing a model whose weights were not found."""
        super()._from_pretrained(
            source,
            save_path,
            cache_dir,
            output_loading_info=True,
            dtype=torch.float32,  # a file may hold half precision
            **kwargs,
        )
        self.model, loaded = self.model
        self._refuse_missing(loaded["missing_keys"], loaded["unexpected_keys"])

    def _refuse_missing(self, missing, unexpected):
        """Random weights must not pass for pretrained ones."""
        missing = sorted(n for n in missing if not self._is_optional(n))
        if not missing:
            return
        prefixes = {
            name.removesuffix(wanted)
            for name in unexpected
            for wanted in missing
            if name.endswith(f".{wanted}")
        }
        remedy = "Give another model, or the file that was meant"
        if prefixes:
            remedy = (
                f"The file has them with the prefix {sorted(prefixes)}: save it "
                "again without"
            )
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"encoder '{self.source}' lacks weights of its encoder: "
            f"{', '.join(missing[:3])}{more}; they would stay random. {remedy}."
        )

    def _is_optional(self, name):
        return name.endswith(UNUSED)

    def _take_settings(self, source, save_path):
        """What the model's folder says besides its weights."""

    def _set_layerdrop(self, layerdrop):
        self.model.config.layerdrop = layerdrop

    def _freeze_convs(self):
        """Leave the conv layers as they were pretrained."""
        raise NotImplementedError

    @property
    def conv_modules(self) -> list[torch.nn.Module]:
        """The conv layers."""
        raise NotImplementedError

    def _freeze_transformer(self):
        """Leave all but the conv layers as they were pretrained."""
        learned = {p for convs in self.conv_modules for p in convs.parameters()}
        for parameter in {*self.model.parameters()} - learned:
            parameter.requires_grad_(False)

    def augmented(
        self, hidden: torch.Tensor, frame_mask: torch.Tensor
    ) -> torch.Tensor:
        """What the transformer gets: masked in training, if that is asked for."""
        if self.augmentation is None or not self.training:
            return hidden
        return self.augmentation(hidden, frame_mask)

    def _prepare(self):
        """What is done to every model, pretrained or still to be loaded."""
        keep_norms_in_float32(self.model)

    @property
    def hidden_size(self) -> int:
        """Features of a hidden state."""
        return self.model.config.hidden_size

    @property
    def block_list(self) -> torch.nn.ModuleList:
        """The transformer blocks."""
        raise NotImplementedError

    def keep_blocks(self, kept_layers: Sequence[int]) -> None:
        """Keep some of the blocks, in place.

        Arguments
        ---------
        kept_layers : list of int
            Counted from 1.

        Raises
        ------
        InputError
            If a block does not exist.
        """
        blocks = self.block_list
        if not kept_layers or not all(
            1 <= k <= len(blocks) for k in kept_layers
        ):
            even = list(range(2, len(blocks) + 1, 2))
            raise InputError(
                f"teacher_layers is {list(kept_layers)} and the encoder has "
                f"blocks 1 to {len(blocks)}; name existing blocks, e.g. "
                f"--teacher_layers '{even}'."
            )
        self._set_blocks([blocks[k - 1] for k in kept_layers])
        self.model.config.num_hidden_layers = len(kept_layers)

    def _set_blocks(self, blocks):
        raise NotImplementedError

    def forward(
        self, wav: torch.Tensor, wav_lens: torch.Tensor | None = None
    ) -> Encoding:
        """Encode a batch of waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            16 kHz waveforms, (batch, time), padded with anything.
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,). At least 25 ms each. On the
            CPU, whatever the device of the waveforms, a GPU is not waited for.

        Returns
        -------
        Encoding
            Hidden states of the encoder and of each block; the mask.
        """
        samples = samples_of(wav_lens, wav.shape[1])
        if samples is not None and bool((samples == wav.shape[1]).all()):
            samples = None
        if wav_lens is not None and on_grid(wav.device):
            return self._encode_on_grid(wav, samples)
        return self._encode(wav, samples)

    def _encode_on_grid(self, wav, samples):
        frames = self.count_frames(wav.shape[1])
        if samples is None:
            samples = torch.full((len(wav),), wav.shape[1])
        more = grid_length(wav.shape[1]) - wav.shape[1]
        encoding = self._encode(F.pad(wav, (0, more)), samples)
        return Encoding(
            encoding.last[:, :frames],
            [block[:, :frames] for block in encoding.blocks],
            encoding.frame_mask[:, :frames],
        )

    def _encode(self, wav, samples):
        if self.normalize_wav:
            wav = normalise_waveforms(wav, samples)
        return self.encode(wav, samples)

    def encode(
        self, wav: torch.Tensor, samples: torch.Tensor | None
    ) -> Encoding:
        """Encode normalised waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            (batch, time)
        samples : torch.Tensor or None
            Valid samples, (batch,), on any device; None if all are valid.
        """
        raise NotImplementedError

    def count_frames(self, samples):
        """Frames that are made of so many samples (int or tensor) at 16 kHz."""
        raise NotImplementedError

    def _frame_mask(self, wav, samples):
        if samples is None:
            samples = torch.full((len(wav),), wav.shape[1], device=wav.device)
        frames = self.count_frames(wav.shape[1])
        return valid_mask(self.count_frames(samples), frames, wav.device)


def family_of(model_type: str) -> type[SpeechEncoder]:
    """The class for a kind of model, e.g. "wav2vec2" or "whisper"."""
    # here, because they are built on this module
    from mlkd_brain.method.wav2vec2 import Wav2Vec2Encoder
    from mlkd_brain.method.whisper import WhisperEncoder

    return WhisperEncoder if model_type == "whisper" else Wav2Vec2Encoder


@contextlib.contextmanager
def _readable(source):
    """One line for a model that is not there or is damaged."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ConnectionError, SafetensorError, ValueError) as error:
        pointers = _pointers(source)
        if pointers:
            raise InputError(
                f"encoder '{source}': {', '.join(pointers)} is a pointer of "
                "git-lfs; fetch what it stands for: `git lfs pull`, there."
            ) from None
        raise InputError(
            f"encoder '{source}' cannot be loaded "
            f"({str(error).strip().splitlines()[0]}). Give the name of a model "
            "on the hub, with a network, or a local folder that holds "
            "config.json, preprocessor_config.json and the whole "
            "model.safetensors."
        ) from None


def _pointers(source):
    """Files of a folder that git-lfs has not put there yet."""
    small = (p for p in pathlib.Path(source).glob("*.*") if p.is_file())
    return [
        p.name
        for p in sorted(small)
        if p.stat().st_size < 1024
        and p.read_bytes().startswith(b"version https://git-lfs")
    ]


@contextlib.contextmanager
def _quiet_transformers():
    """No bar for weights that are read, no table of those that were not.

    What is missing is refused in ``SpeechEncoder``, in one line.
    """
    shown = transformers_logging.is_progress_bar_enabled()
    downloads = not hub.are_progress_bars_disabled()
    level = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if downloads:  # transformers has switched these bars off too
        hub.enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if shown:
            transformers_logging.enable_progress_bar()
