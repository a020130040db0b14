"""Pooling: over valid frames only, trained or not."""

import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, copy_teacher
from mlkd_brain.method.pooling import POOLINGS, make_pooling


@pytest.mark.parametrize("name", POOLINGS)
def test_padding_changes_neither_value_nor_gradient(name):
    torch.manual_seed(0)
    pooling = make_pooling(name, 6).train()
    hidden = torch.randn(2, 5, 6)
    alone = hidden[:1, :3].clone().requires_grad_()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    together = hidden.clone()
    together[0, 3:] = 1e4  # junk
    together.requires_grad_()
    pooled = pooling(together, mask)
    expected = pooling(alone, mask[:1, :3])
    assert pooled.shape == (2, pooling.output_size)
    assert torch.allclose(pooled[:1], expected, atol=1e-5)
    (own,) = torch.autograd.grad(pooled[0].sum(), together)
    (wanted,) = torch.autograd.grad(expected.sum(), alone)
    assert torch.allclose(own[:1, :3], wanted, atol=1e-5)
    assert not own[0, 3:].any()


def test_mean_and_deviation_are_those_of_numpy():
    hidden = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(0))
    pooling = make_pooling("mean_deviation", 3)
    pooled = pooling(hidden, torch.ones(1, 50).bool())[0]
    frames = hidden[0].numpy()
    expected = [*frames.mean(axis=0), *frames.std(axis=0)]
    assert pooled.tolist() == pytest.approx(expected, abs=1e-5)


def test_one_frame_has_a_finite_gradient():
    """The root of a variance of 0 has none."""
    for name in POOLINGS:
        hidden = torch.ones(1, 1, 4, requires_grad=True)
        make_pooling(name, 4)(hidden, torch.ones(1, 1).bool()).sum().backward()
        assert hidden.grad.isfinite().all(), name


def test_attention_can_prefer_a_frame():
    pooling = make_pooling("attentive", 2)
    with torch.no_grad():
        pooling.hidden.weight.copy_(torch.eye(2))
        pooling.hidden.bias.zero_()
        pooling.score.weight.copy_(torch.tensor([[100.0, 0.0]]))
    hidden = torch.tensor([[[-1.0, 5.0], [1.0, 7.0]]])
    pooled = pooling(hidden, torch.ones(1, 2).bool())
    assert pooled[0].tolist() == pytest.approx([1.0, 7.0], abs=1e-5)


@pytest.mark.parametrize("name", POOLINGS)
def test_a_student_takes_over_its_teachers_pooling(tiny_wav2vec2, name):
    teacher = EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 3, name)
    encoder = SpeechEncoder(tiny_wav2vec2, kept_layers=[1, 2, 3, 4])
    student = EmotionClassifier(encoder, 3, name)
    copy_teacher(student, teacher, [1, 2, 3, 4])
    wav = torch.randn(1, 8000)
    both = [model.eval()(wav).logits for model in (teacher, student)]
    assert torch.equal(*both)


def test_an_unknown_pooling_is_named(tiny_wav2vec2):
    with pytest.raises(InputError, match="'max' for pooling.*mean_deviation"):
        EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 3, "max")
