"""Two processes train one model: each utterance once, one log, one checkpoint."""

import json
import os

import pytest
import torch
from mlkd_brain.method.brains import EmotionBrain
from sklearn.metrics import balanced_accuracy_score
from tiny_training import classifier, fold, make_brain

UTTERANCES, EPOCHS = 11, 2


def train(rank, source, folder):
    """What one process hears, decides, logs and ends with."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    store = f"file://{folder}/rendezvous"
    torch.distributed.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=2
    )
    model = classifier(source)
    brain = make_brain(
        EmotionBrain,
        model,
        folder / "save",
        epochs=EPOCHS,
        run_opts={
            "device": "cpu",
            "noprogressbar": True,
            "distributed_backend": "gloo",
        },
    )
    brain.hparams.batch_size, brain.hparams.seed = 2, 3
    heard, decided, step = [], [], brain.fit_batch

    def fit_batch(batch):
        heard.append([brain.hparams.epoch_counter.current, *batch.id])
        loss = step(batch)
        classes = (brain.references, brain.decisions)
        decided[:] = [torch.cat(c).tolist() for c in classes]
        return loss

    brain.fit_batch = fit_batch
    datasets = {"train": fold(UTTERANCES), "valid": fold(5)}
    brain.fit_fold(datasets, bucket_jitter=0.2)
    log = brain.train_logger.epochs
    answer = {
        "heard": heard,
        "decided": decided,
        "log": [[e["train_stats"], e["valid_stats"]] for e in log],
        "weights": model.head.weight.tolist(),
    }
    (folder / f"{rank}.json").write_text(json.dumps(answer))
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two(tiny_wav2vec2, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(train, (tiny_wav2vec2, folder), nprocs=2)
    answers = [
        json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)
    ]
    return folder, answers


def test_every_utterance_is_heard_once_an_epoch_by_one_of_them(two):
    _, answers = two
    for epoch in range(1, EPOCHS + 1):
        shares = [
            [name for at, *batch in a["heard"] if at == epoch for name in batch]
            for a in answers
        ]
        assert sorted(shares[0] + shares[1]) == sorted(
            f"u{i}" for i in range(UTTERANCES)
        )
        assert all(shares)


def test_both_end_with_the_same_weights_and_numbers(two):
    _, (first, second) = two
    assert first["weights"] == second["weights"]
    assert first["log"] == second["log"] and len(first["log"]) == EPOCHS


def test_the_accuracy_is_that_of_all_decisions(two):
    _, answers = two
    references, decisions = (
        answers[0]["decided"][i] + answers[1]["decided"][i] for i in (0, 1)
    )
    assert len(references) == UTTERANCES
    train_stats, _ = answers[0]["log"][-1]
    assert train_stats["UA"] == balanced_accuracy_score(references, decisions)


def test_one_of_them_writes(two):
    folder, _ = two
    checkpoints = list((folder / "save").glob("CKPT+*"))
    assert 1 <= len(checkpoints) <= 2  # the best epoch and the last
