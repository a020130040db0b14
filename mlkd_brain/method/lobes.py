"""Speech encoders of the wav2vec 2.0 family, and the classifier on top.

Authors
 * The MLKD team 2026
"""

import copy
from collections import namedtuple

import torch
from speechbrain.integrations.huggingface.wav2vec2 import Wav2Vec2

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

Encoding = namedtuple("Encoding", "last blocks frame_mask")
Classification = namedtuple("Classification", "logits blocks frame_mask")


class SpeechEncoder(Wav2Vec2):
    """A wav2vec 2.0, HuBERT, WavLM or data2vec-audio encoder.

    It guarantees that an utterance's hidden states do not depend on what it is
    batched with, and that for one utterance they are those of transformers.

    Arguments
    ---------
    source : str
        Hub name, e.g. "facebook/wav2vec2-base", a local folder, or "embedded".
        A local folder is read without any network call.
    save_path : str
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
        source,
        save_path="pretrained_models",
        kept_layers=None,
        freeze_feature_extractor=True,
        layerdrop=0.0,
        gradient_checkpointing=False,
    ):
        try:
            super().__init__(
                str(FOLDER) if source == EMBEDDED else source,
                str(save_path),
                freeze_feature_extractor=freeze_feature_extractor,
            )
        except (OSError, ConnectionError) as error:
            raise InputError(
                f"wav2vec2_hub '{source}' cannot be loaded "
                f"({str(error).splitlines()[0]}). Give the name of a model on "
                "the hub, with a network, or a local folder that holds "
                "config.json, preprocessor_config.json and model.safetensors."
            ) from None
        self.model.config.layerdrop = layerdrop
        if freeze_feature_extractor:
            # else transformers asks for a gradient of the waveform, and keeps
            # every conv layer's output for it (HuBERT has no public name for it)
            self.model.feature_extractor._freeze_parameters()
        if gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        # nothing is masked: processes that train together wait for its gradient
        unused = getattr(self.model, "masked_spec_embed", None)
        if unused is not None:
            unused.requires_grad_(False)
        if kept_layers is not None:
            keep_blocks(self.model, kept_layers)
        self._keep_padding_out()
        keep_norms_in_float32(self.model)

    @property
    def hidden_size(self):
        """Features of a hidden state."""
        return self.model.config.hidden_size

    def _keep_padding_out(self):
        """Put the guards of ``mlkd_brain.method.padding`` where they are needed."""
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

    def _announce_lengths(self, samples, frames):
        for layer in self._sample_norms:
            kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
            layer.layer_norm.lengths = (
                None if samples is None else (samples - kernel) // stride + 1
            )
        for layer in self._frame_convs:
            layer.lengths = frames

    def extract_features(self, wav, wav_lens=None):
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
            ``last``: the encoder's output, (batch, frames, features);
            ``blocks``: the output of each transformer block, same shape;
            ``frame_mask``: True on valid frames, (batch, frames).
        """
        samples = samples_of(wav_lens, wav.shape[1])
        if samples is not None and bool((samples == wav.shape[1]).all()):
            samples = None
        if self.normalize_wav:
            wav = normalise_waveforms(wav, samples)
        frame_mask = self._frame_mask(wav, samples)
        padded = samples is not None
        self._announce_lengths(samples, frame_mask.sum(1) if padded else None)
        output = self.model(
            wav,
            attention_mask=valid_mask(samples, wav.shape[1])
            if padded
            else None,
            output_hidden_states=True,
        )
        # the first hidden state is what enters block 1
        return Encoding(
            output.last_hidden_state, list(output.hidden_states[1:]), frame_mask
        )

    def count_frames(self, samples):
        """Frames that the conv encoder makes of so many samples.

        Arguments
        ---------
        samples : int or torch.Tensor
            At 16 kHz.

        Returns
        -------
        int or torch.Tensor
            As the argument.
        """
        frames = self.model._get_feat_extract_output_lengths(samples)
        return frames if isinstance(samples, torch.Tensor) else int(frames)

    def _frame_mask(self, wav, samples):
        if samples is None:
            samples = torch.full((len(wav),), wav.shape[1], device=wav.device)
        return valid_mask(
            self.count_frames(samples), self.count_frames(wav.shape[1])
        )


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

    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(encoder.hidden_size, n_classes)

    def forward(self, wavs, wav_lens=None):
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
            ``logits``: unnormalised scores, (batch, classes), float32;
            ``blocks`` and ``frame_mask`` as the encoder gives them.
        """
        encoding = self.encoder(wavs, wav_lens)
        pooled = mean_over_frames(encoding.last, encoding.frame_mask)
        with torch.autocast(pooled.device.type, enabled=False):
            logits = self.head(pooled)
        return Classification(logits, encoding.blocks, encoding.frame_mask)


def keep_blocks(model, kept_layers):
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
    kept = torch.nn.ModuleList(blocks[k - 1] for k in kept_layers)
    attention = blocks[0].attention
    if hasattr(attention, "rel_attn_embed"):
        # WavLM computes its position bias once, in the first block
        kept[0].attention.rel_attn_embed = attention.rel_attn_embed
    model.encoder.layers = kept
    model.config.num_hidden_layers = len(kept)


def copy_teacher(student, teacher, kept_layers):
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


def freeze(model):
    """Make a model a fixed reference: no gradient, no dropout.

    Arguments
    ---------
    model : torch.nn.Module
        Changed in place.

    Returns
    -------
    torch.nn.Module
        The same model.

    Example
    -------
    >>> teacher = freeze(torch.nn.Linear(2, 2))
    >>> teacher.training, teacher.weight.requires_grad
    (False, False)
    """
    return model.eval().requires_grad_(False)


def parameter_mebibytes(model):
    """Size of a model's parameters as they are stored, MiB.

    Example
    -------
    >>> parameter_mebibytes(torch.nn.Linear(1024, 1024, bias=False))
    4.0
    """
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    return size / 2**20
