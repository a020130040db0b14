"""What training must do, and must leave alone."""

import copy
from collections import defaultdict

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from tiny_training import LAYERS, make_brain, utterances
from torch.utils.data import DataLoader

from mlkd_brain.method.brains import DistillationBrain, EmotionBrain
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, copy_teacher


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
    return brain.hparams.train_logger.epochs


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

    def spy(student_logits, teacher_logits, own, taught, mask, labels):
        seen.update(own=own, taught=taught)
        return student_logits.sum(), {}

    brain.hparams.objective = spy
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
    brain._summary = lambda: {"UA": brain.score, "WA": 0.0}

    def on_stage_start(stage, epoch=None):
        brain.term_sums = defaultdict(float)
        brain.references, brain.decisions = [], []
        if stage == sb.Stage.TRAIN:
            brain.score = next(scores)

    brain.on_stage_start = on_stage_start
    fit(brain)
    best = brain.checkpointer.find_checkpoint(max_key="UA")
    assert best.meta["epoch"] == 2


def test_a_finished_run_is_not_trained_again(teacher, tmp_path):
    fit(make_brain(EmotionBrain, teacher, tmp_path))
    before = copy.deepcopy(teacher.state_dict())
    again = make_brain(EmotionBrain, teacher, tmp_path)
    assert fit(again) == []
    assert all(
        torch.equal(teacher.state_dict()[n], v) for n, v in before.items()
    )
