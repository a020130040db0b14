"""Cheaper training learns the same: precision, checkpointing, accumulation."""

import mlkd_brain.method.brains as module
import pytest
import torch
from mlkd_brain.method.brains import DistillationBrain, EmotionBrain
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.precision import NORMS
from mlkd_brain.run.step_memory import SavedActivations
from tiny_encoders import FAMILY
from tiny_training import LAYERS, classifier, fold, make_brain, utterances

import speechbrain as sb
from speechbrain.dataio.batch import PaddedBatch

KINDS = sorted(FAMILY)


def student_of(source, **options):
    return classifier(source, kept_layers=LAYERS, **options)


def losses(brain):
    """Of one batch, with its terms and what each layer gave out."""
    brain.modules.eval()
    brain.on_stage_start(sb.Stage.TRAIN)
    batch = PaddedBatch(utterances())
    with brain.training_ctx:
        predictions = brain.compute_forward(batch, sb.Stage.TRAIN)
        loss = brain.compute_objectives(predictions, batch, sb.Stage.TRAIN)
    return loss, predictions


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_leaves_losses_and_norms_in_float32(
    encoders, tmp_path, kind
):
    found = {}
    for precision in ("fp32", "bf16"):
        student = student_of(encoders(kind))
        given = {}
        for name, layer in student.named_modules():
            if isinstance(layer, (*NORMS, torch.nn.Linear)):
                layer.register_forward_hook(
                    lambda layer, _, output, name=name, given=given: (
                        given.setdefault(type(layer), set()).add(output.dtype)
                    )
                )
        brain = make_brain(
            DistillationBrain,
            student,
            tmp_path / precision,
            teacher=classifier(encoders(kind)),
            run_opts={"device": "cpu", "precision": precision},
        )
        loss, predictions = losses(brain)
        loss.backward()
        found[precision] = loss.item()
        assert loss.dtype == predictions.logits.dtype == torch.float32
        norms = [
            layer
            for name, layer in student.named_modules()
            if isinstance(layer, NORMS)
        ]
        assert norms
        for layer in norms:
            assert given[type(layer)] == {torch.float32}
        # the attention's projections and the feed-forward layers
        if precision == "bf16":
            assert torch.bfloat16 in given[torch.nn.Linear]
        for weight in student.parameters():
            assert weight.grad is None or weight.grad.dtype == torch.float32
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.02)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "wavlm"])
def test_attention_is_the_fused_one(encoders, kind):
    # WavLM adds a position bias and has attention of its own
    config = SpeechEncoder(encoders(kind)).model.config
    assert config._attn_implementation.startswith("sdpa")


def test_gradient_checkpointing_keeps_less_and_learns_the_same(twelve_blocks):
    wavs, kept, gradients = torch.randn(2, 16000), {}, {}
    for switch in (False, True):
        model = classifier(twelve_blocks, gradient_checkpointing=switch)
        torch.manual_seed(1)  # of the dropout
        with SavedActivations(model.parameters()) as counter:
            loss = model.train()(wavs).logits.square().sum()
        kept[switch] = counter.total_bytes
        loss.backward()
        gradients[switch] = [
            p.grad for p in model.parameters() if p.grad is not None
        ]
    assert kept[True] < 0.6 * kept[False]
    for ours, theirs in zip(gradients[True], gradients[False]):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_frozen_conv_encoder_saves_most_of_the_memory(tiny_wav2vec2):
    kept = {}
    for frozen in (True, False):
        model = classifier(tiny_wav2vec2, freeze_feature_extractor=frozen)
        with SavedActivations(model.parameters()) as counter:
            model.train()(torch.randn(2, 16000))
        kept[frozen] = counter.total_bytes
    assert kept[True] < 0.5 * kept[False]


def trained(source, folder, batch_size, factor):
    """Weights after one epoch of 8 utterances, without dropout."""
    model = classifier(source)
    brain = make_brain(
        EmotionBrain,
        model,
        folder,
        epochs=1,
        run_opts={"device": "cpu", "grad_accumulation_factor": factor},
    )
    brain.opt_class = lambda weights: torch.optim.SGD(weights, lr=0.1)
    for module_ in model.modules():
        if isinstance(module_, torch.nn.Dropout):
            module_.p = 0.0
    model.encoder.model.config.attention_dropout = 0.0
    for block in model.encoder.model.encoder.layers:
        block.attention.dropout = 0.0
    brain.hparams.batch_size, brain.hparams.seed = batch_size, 3
    brain.fit_fold({"train": fold(8), "valid": fold(4)}, bucket_jitter=0.2)
    return model.state_dict()


def test_two_accumulated_batches_are_one_of_twice_the_size(
    tiny_wav2vec2, tmp_path
):
    whole = trained(tiny_wav2vec2, tmp_path / "whole", 8, 1)
    halves = trained(tiny_wav2vec2, tmp_path / "halves", 4, 2)
    start = classifier(tiny_wav2vec2).state_dict()
    assert not torch.equal(whole["head.weight"], start["head.weight"])
    for name, value in whole.items():
        assert torch.allclose(halves[name], value, atol=1e-5), name


def test_the_memory_of_a_batch_is_logged_once_at_the_start(
    tiny_wav2vec2, tmp_path, monkeypatch
):
    logged = []
    monkeypatch.setattr(module.logger, "info", logged.append)
    trained(tiny_wav2vec2, tmp_path, 2, 1)
    (line,) = logged
    assert "memory: the first batch" in line and "the largest" in line
