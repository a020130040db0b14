"""A training step asks a GPU for no value, for which Python would wait.

Tensors on the device "meta" have no values: whatever asks for one fails.
"""

import contextlib

import pytest
import torch
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.method.losses import DISTANCES, FeatureDistillation
from mlkd_brain.method.spec_augment import SpecAugment
from tiny_encoders import FAMILY

from speechbrain.utils.epoch_loop import EpochCounter

META = torch.device("meta")


@contextlib.contextmanager
def no_autocast(*_, **__):
    yield


@pytest.mark.parametrize("kind", [*sorted(FAMILY), "whisper"])
@pytest.mark.parametrize("training", [True, False])
def test_a_classifier_asks_for_no_value(encoders, kind, training, monkeypatch):
    # which knows no device of this name
    monkeypatch.setattr(torch, "autocast", no_autocast)
    masks = SpecAugment(1, 0.2, 1, 0.2, 1986, EpochCounter(limit=1))
    masks.choose(["u1", "u2"])
    encoder = SpeechEncoder(encoders(kind), augmentation=masks)
    model = EmotionClassifier(encoder, 4)
    model = model.to(META).train(training)
    wavs = torch.empty(2, 16000, device=META)
    outputs = model(wavs, wav_lens=torch.tensor([1.0, 0.6]))
    assert {t.device for t in (outputs.logits, outputs.frame_mask)} == {META}
    if training:
        outputs.logits.sum().backward()


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_a_loss_asks_for_no_value(distance):
    blocks = torch.empty(2, 2, 5, 8, device=META, requires_grad=True)
    mask = torch.empty(2, 5, dtype=torch.bool, device=META)
    level = FeatureDistillation(distance=distance)
    level(list(blocks), list(torch.empty_like(blocks)), mask).backward()
    assert blocks.grad.device == META
