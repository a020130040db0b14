"""What training must do, and must leave alone."""

import copy

import pytest
import torch
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.method import brains
from mlkd_brain.method.brains import DistillationBrain, EmotionBrain
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, copy_teacher
from mlkd_brain.method.losses import (
    FeatureDistillation,
    LogitDistillation,
    MultiLevelObjective,
)
from mlkd_brain.names import SELECTION
from tiny_training import LAYERS, QUIET, fold, make_brain, utterances
from torch.utils.data import DataLoader

import speechbrain as sb
from speechbrain.dataio.batch import PaddedBatch


@pytest.fixture()
def teacher(tiny_wav2vec2):
    torch.manual_seed(5)
    return EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 4)


@pytest.fixture()
def student(tiny_wav2vec2):
    return EmotionClassifier(
        SpeechEncoder(tiny_wav2vec2, kept_layers=LAYERS), 4
    )


def fit(brain):
    loader = DataLoader(utterances(), batch_size=4, collate_fn=PaddedBatch)
    brain.fit(brain.hparams.epoch_counter, loader, loader)
    return brain.train_logger.epochs


def test_the_teacher_is_bit_equal_after_training(teacher, student, tmp_path):
    before = copy.deepcopy(teacher.state_dict())
    start = copy.deepcopy(student.state_dict())
    fit(make_brain(DistillationBrain, student, tmp_path, teacher=teacher))
    assert not teacher.training
    for name, value in before.items():
        assert torch.equal(teacher.state_dict()[name], value), name
    assert not all(
        torch.equal(student.state_dict()[n], v) for n, v in start.items()
    )


def test_only_the_frozen_conv_encoder_stays_as_it_was(teacher, tmp_path):
    before = copy.deepcopy(dict(teacher.named_parameters()))
    fit(make_brain(EmotionBrain, teacher, tmp_path))
    for name, value in teacher.named_parameters():
        frozen = "feature_extractor" in name
        unused = "masked_spec_embed" in name
        assert torch.equal(value, before[name]) == (frozen or unused), name


def test_each_term_falls_on_four_utterances(teacher, student, tmp_path):
    with torch.no_grad():
        teacher.head.weight *= 100  # a teacher that has an opinion
    brain = make_brain(
        DistillationBrain, student, tmp_path, 40, teacher=teacher
    )
    epochs = fit(brain)
    first, last = epochs[0]["train_stats"], epochs[-1]["train_stats"]
    for term in ("ce", "kl", "mse", "loss"):
        assert last[term] < first[term], term


def test_a_student_that_is_its_teacher_has_nothing_to_distil(
    tiny_wav2vec2, tmp_path
):
    torch.manual_seed(5)
    whole = [1, 2, 3, 4]
    teacher = EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 4)
    student = EmotionClassifier(
        SpeechEncoder(tiny_wav2vec2, kept_layers=whole), 4
    )
    copy_teacher(student, teacher, whole)
    brain = make_brain(
        DistillationBrain, student.eval(), tmp_path, teacher=teacher
    )
    brain.hparams.teacher_layers = whole
    brain.on_stage_start(sb.Stage.TRAIN)
    batch = PaddedBatch(utterances(noise=0.0))
    predictions = brain.compute_forward(batch, sb.Stage.TRAIN)
    brain.compute_objectives(predictions, batch, sb.Stage.TRAIN)
    assert brain.term_sums["mse"] == 0.0 and brain.term_sums["kl"] == 0.0


def test_the_teacher_hears_the_clean_speech_and_the_student_the_noisy(
    teacher, student, tmp_path
):
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    batch = PaddedBatch(utterances())
    brain.modules.eval()
    predictions = brain.compute_forward(batch, sb.Stage.TRAIN)
    with torch.no_grad():
        assert torch.equal(
            brain.targets.logits, teacher(*batch.clean_sig).logits
        )
        assert torch.equal(predictions.logits, student(*batch.sig).logits)
        assert not torch.equal(brain.targets.logits, teacher(*batch.sig).logits)


def test_block_i_learns_from_the_ith_of_the_teachers_layers(
    teacher, student, tmp_path
):
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    seen = {}

    def spy(student_logits, teacher_logits, own, taught, mask, *labels):
        seen.update(own=own, taught=taught)
        return student_logits.sum(), {}

    brain.hparams.objective = spy
    brain.gradient_share_batches = 0
    brain.on_stage_start(sb.Stage.TRAIN)
    batch = PaddedBatch(utterances())
    predictions = brain.compute_forward(batch, sb.Stage.TRAIN)
    brain.compute_objectives(predictions, batch, sb.Stage.TRAIN)
    with torch.no_grad():
        blocks = teacher(*batch.clean_sig).blocks
    assert len(seen["own"]) == len(seen["taught"]) == 2
    for taught, block in zip(seen["taught"], (blocks[1], blocks[3])):
        assert torch.equal(taught, block)


def test_the_epoch_with_the_best_validation_ua_is_kept(teacher, tmp_path):
    brain = make_brain(EmotionBrain, teacher, tmp_path)
    scores = iter([0.25, 0.75, 0.5])
    brain.hparams.epoch_counter.limit = 3
    brain._summary = lambda: {"UA": brain.score, "WA": 0.0, "loss": 1.0}
    start = brain.on_stage_start

    def on_stage_start(stage, epoch=None):
        start(stage, epoch)
        if stage == sb.Stage.TRAIN:
            brain.score = next(scores)

    brain.on_stage_start = on_stage_start
    fit(brain)
    best = brain.checkpointer.find_checkpoint(max_key=SELECTION)
    assert best.meta["epoch"] == 2


def test_of_epochs_that_tie_the_one_with_the_lowest_loss_is_kept(
    teacher, tmp_path
):
    brain = make_brain(EmotionBrain, teacher, tmp_path)
    # of training and of validation, epoch by epoch
    losses = iter([0.9, 0.6, 0.9, 0.4, 0.9, 0.5])
    brain.hparams.epoch_counter.limit = 3
    brain._summary = lambda: {"UA": 0.75, "WA": 0.0, "loss": next(losses)}
    fit(brain)
    best = brain.checkpointer.find_checkpoint(max_key=SELECTION)
    assert best.meta["epoch"] == 2


@pytest.mark.parametrize("accumulation", [1, 2])
def test_every_utterance_counts_the_same_in_an_epoch(
    teacher, tmp_path, accumulation
):
    """Batches of 9 utterances hold 3 or 2: their losses are weighted."""
    options = {**QUIET, "grad_accumulation_factor": accumulation}
    brain = make_brain(
        EmotionBrain, teacher.eval(), tmp_path, lr=0.0, run_opts=options
    )
    dataset = fold(9)
    brain.train_sampler = LengthBucketSampler([1.0] * 9, 3, 0.2, 1, 2)
    brain.on_stage_start(sb.Stage.TRAIN)
    total, alone = 0.0, 0.0
    for indices in brain.train_sampler:
        batch = PaddedBatch([dataset[i] for i in indices])
        outputs = brain.compute_forward(batch, sb.Stage.TRAIN)
        total += brain.compute_objectives(outputs, batch, sb.Stage.TRAIN)
    for i in range(9):
        batch = PaddedBatch([dataset[i]])
        outputs = brain.compute_forward(batch, sb.Stage.VALID)
        alone += brain.compute_objectives(outputs, batch, sb.Stage.VALID)
    mean_loss = total / len(brain.train_sampler)
    assert mean_loss.item() == pytest.approx(alone.item() / 9, rel=1e-5)


def test_the_log_has_each_terms_share_of_the_gradient(
    teacher, student, tmp_path
):
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    fit(brain)
    stats = brain.train_logger.epochs[0]["train_stats"]
    shares = [stats[f"grad_share_{name}"] for name in ("kl", "ce", "mse")]
    assert sum(shares) == pytest.approx(1.0) and min(shares) > 0
    assert 0 <= stats["clipped"] <= 1


def test_a_balanced_objective_is_balanced_once_at_the_start(
    teacher, student, tmp_path
):
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    brain.hparams.objective = MultiLevelObjective(
        LogitDistillation(2.0),
        FeatureDistillation(layer_norm=True),
        alpha=0.5,
        feature_weight=0.5,
        balance_batches=1,
    )
    brain.train_set = utterances()
    brain.train_loader_kwargs = {"collate_fn": PaddedBatch}
    brain.hparams.seed = 1986
    brain.train_sampler = LengthBucketSampler([1.0] * 4, 4, None, 1)
    fit(brain)
    stats = brain.train_logger.epochs[0]["train_stats"]
    shares = [stats[f"grad_share_{name}"] for name in ("kl", "ce", "mse")]
    assert all(0.2 < share < 0.5 for share in shares)
    before = brain.hparams.objective.scales.clone()
    brain.on_fit_start()
    assert torch.equal(brain.hparams.objective.scales, before)


def test_a_finished_run_is_not_trained_again(teacher, tmp_path):
    fit(make_brain(EmotionBrain, teacher, tmp_path))
    before = copy.deepcopy(teacher.state_dict())
    again = make_brain(EmotionBrain, teacher, tmp_path)
    assert fit(again) == []
    assert all(
        torch.equal(teacher.state_dict()[n], v) for n, v in before.items()
    )


def test_processes_that_train_together_balance_alike(
    teacher, student, tmp_path, monkeypatch
):
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    brain.train_set = utterances()
    brain.train_loader_kwargs = {"collate_fn": PaddedBatch}
    brain.hparams.seed = 1986
    brain.train_sampler = LengthBucketSampler([1.0] * 4, 4, None, 1)
    alone = brain._start_norms(1)
    monkeypatch.setattr(
        brains,
        "gather",
        lambda own: [own, {name: 3 * norm for name, norm in own.items()}],
    )
    together = brain._start_norms(1)
    assert together == pytest.approx({n: 2 * v for n, v in alone.items()})


def test_a_largest_gradient_norm_of_zero_leaves_gradients_alone(
    teacher, tmp_path
):
    logs = []
    for name, norm in (("zero", 0.0), ("large", 1e9)):
        run_opts = {**QUIET, "max_grad_norm": norm}
        model = copy.deepcopy(teacher)
        torch.manual_seed(3)
        brain = make_brain(
            EmotionBrain, model, tmp_path / name, run_opts=run_opts
        )
        logs.append(fit(brain))
    zero, large = (log[-1]["train_stats"] for log in logs)
    assert zero["loss"] == large["loss"]
    assert "clipped" not in zero and large["clipped"] == 0.0
