"""What a training does when its loss is not finite."""

import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.brains import DistillationBrain, EmotionBrain
from mlkd_brain.noise.sampling import NoiseSampler
from mlkd_brain.run.nonfinite import NONFINITE
from tiny_training import LAYERS, QUIET, classifier, make_brain, utterances
from torch.utils.data import DataLoader

from speechbrain.dataio.batch import PaddedBatch


def fit(brain, train, valid=None):
    loaders = [
        DataLoader(part, batch_size=2, collate_fn=PaddedBatch)
        for part in (train, valid or train)
    ]
    brain.fit(brain.hparams.epoch_counter, *loaders)


def with_nan(rows, index):
    damaged = [dict(row) for row in rows]
    damaged[index]["sig"] = rows[index]["sig"].clone()
    damaged[index]["sig"][100] = torch.nan
    return damaged


@pytest.mark.parametrize("stage", ["train", "valid"])
def test_a_loss_that_is_not_finite_names_utterance_noise_and_term(
    tiny_wav2vec2, tmp_path, stage
):
    brain = make_brain(EmotionBrain, classifier(tiny_wav2vec2), tmp_path)
    noise = NoiseSampler(None, stage, [5], "none", seed=1)
    noise.types = ["babble"]
    setattr(brain.hparams, f"{stage}_noise", noise)
    parts = {"train": utterances(), "valid": utterances()}
    parts[stage] = with_nan(parts[stage], 3)
    with pytest.raises(InputError, match="the loss is not finite") as stopped:
        fit(brain, **parts)
    message = str(stopped.value)
    assert (
        f"({stage}, epoch 1, batch 2): loss, ce of u3 with babble at 5 dB"
        in (message)
    )
    assert "u2" not in message
    assert brain.checkpointer.list_checkpoints() == []
    found = torch.load(tmp_path / NONFINITE)
    assert found["batch"]["id"] == ["u2", "u3"]
    brain.modules.load_state_dict(found["modules"])
    again = brain.modules.model(*found["batch"]["sig"]).logits
    assert not again[1].isfinite().all() and again[0].isfinite().all()


def test_weights_that_were_not_finite_before_are_named(tiny_wav2vec2, tmp_path):
    model = classifier(tiny_wav2vec2)
    brain = make_brain(EmotionBrain, model, tmp_path)
    with torch.no_grad():
        model.head.weight[0] = torch.inf
    with pytest.raises(
        InputError, match="weight model.head.weight was not fin"
    ):
        fit(brain, utterances())


def test_a_teacher_term_that_is_not_finite_is_named(tiny_wav2vec2, tmp_path):
    teacher = classifier(tiny_wav2vec2)
    student = classifier(tiny_wav2vec2, kept_layers=LAYERS)
    brain = make_brain(DistillationBrain, student, tmp_path, teacher=teacher)
    rows = utterances()
    rows[0]["clean_sig"] = rows[0]["clean_sig"].clone()
    rows[0]["clean_sig"][7] = torch.inf
    with pytest.raises(InputError, match=r"\): loss, kl, mse of u0"):
        fit(brain, rows)


def test_no_checkpoint_is_written_between_the_batches_of_a_step(
    tiny_wav2vec2, tmp_path
):
    options = {**QUIET, "grad_accumulation_factor": 2, "ckpt_interval_steps": 1}
    model = classifier(tiny_wav2vec2)
    brain = make_brain(EmotionBrain, model, tmp_path, run_opts=options)
    decisions = []
    for brain.step in (1, 2, 3, 4):
        decisions.append(brain._should_save_intra_epoch_ckpt(0.0, 5))
    assert decisions == [False, True, False, True]
