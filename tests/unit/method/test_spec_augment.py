"""SpecAugment: a function of seed, epoch and utterance, on valid frames."""

import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.spec_augment import SpecAugment

from speechbrain.utils.epoch_loop import EpochCounter


def augment(time=2, feature=1, seed=1986, epoch=3):
    counter = EpochCounter(limit=9)
    counter.current = epoch
    return SpecAugment(time, 0.2, feature, 0.25, seed, counter)


def masked(utterances, frames=40, valid=None, **options):
    """Where a batch of ones becomes zero, (batch, frames, features)."""
    masks = augment(**options)
    masks.choose(utterances)
    ones = torch.ones(len(utterances), frames, 16)
    valid = valid or [frames] * len(utterances)
    frame_mask = torch.arange(frames) < torch.tensor(valid)[:, None]
    return masks(ones, frame_mask) == 0


def test_an_utterance_has_its_mask_in_any_batch():
    alone = masked(["u1"])
    together = masked(["u2", "u1"], frames=60, valid=[60, 40])
    assert torch.equal(together[1, :40], alone[0])
    assert alone.any() and not alone.all()
    # the padding gets no mask of frames, and features are masked everywhere
    assert torch.equal(together[1, 40:], alone[0].all(dim=0).expand(20, 16))


def test_another_seed_epoch_or_utterance_has_another_mask():
    first = masked(["u1"])
    assert torch.equal(masked(["u1"]), first)
    for other in (
        masked(["u2"]),
        masked(["u1"], seed=1),
        masked(["u1"], epoch=4),
    ):
        assert not torch.equal(other, first)


def test_spans_are_as_many_and_as_long_as_asked_for():
    frames = torch.stack([masked([f"u{i}"])[0].all(dim=1) for i in range(600)])
    features = torch.stack(
        [masked([f"u{i}"])[0].all(dim=0) for i in range(600)]
    )
    assert frames.sum(dim=1).max() <= 2 * (0.2 * 40 + 1)
    assert features.sum(dim=1).max() <= 0.25 * 16 + 1
    assert frames.any(dim=0).all() and features.any(dim=0).all()
    assert not masked(["u1"], time=0, feature=0).any()


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "data2vec", "whisper"])
def test_the_transformer_gets_masked_features_in_training_alone(encoders, kind):
    masks = augment()
    encoder = SpeechEncoder(encoders(kind), augmentation=masks)
    plain = SpeechEncoder(encoders(kind))
    wav, lens = torch.randn(2, 8000), torch.tensor([1.0, 0.7])
    masks.choose(["u1", "u2"])
    assert torch.equal(
        encoder.eval()(wav, lens).last, plain.eval()(wav, lens).last
    )
    encoder.train()

    def trained():
        torch.manual_seed(0)  # of dropout
        return encoder(wav, lens).last

    first, again = trained(), trained()
    masks.choose([])
    none = trained()
    assert torch.equal(first, again)
    assert not torch.allclose(first, none, atol=1e-3)


@pytest.mark.parametrize("options", [(-1, 0.1), (1.5, 0.1), (1, 0), (1, 1.1)])
def test_what_is_out_of_range_is_named(options):
    with pytest.raises(InputError, match="time_masks is .*time_mask_width"):
        SpecAugment(*options, 0, 0.1, 1, None)
    with pytest.raises(InputError, match="feature_masks is"):
        SpecAugment(0, 0.1, *options, 1, None)
