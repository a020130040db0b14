"""Each tracker gets the numbers and the sounds of a training."""

import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.brains import EmotionBrain
from mlkd_brain.run.tracking import TrackedTrainLogger
from tiny_training import classifier, fold, make_brain

META = {"epoch": 1, "time left": "0:00:10", "utt/s": "3.1"}


def log_epochs(log, epochs, value):
    for epoch in epochs:
        log.log_stats(
            {**META, "epoch": epoch},
            {"loss": value, "lr": 1e-4},
            {"UA": value, "UA 0 dB": float("nan")},
            verbose=False,
        )


def read_events(folder):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events


def test_tensorboard_gets_every_number_and_no_text(tmp_path):
    log = TrackedTrainLogger(tmp_path / "log.txt", "tensorboard", tmp_path)
    log_epochs(log, (1, 2), 0.5)
    log.log_audio("valid/u1", torch.zeros(16000), 1)
    log.tracker.writer.flush()
    events = read_events(tmp_path)
    names = ["run/epoch", "train/loss", "train/lr", "valid/UA"]
    assert sorted(events.Tags()["scalars"]) == names
    assert events.Tags()["audio"] == ["valid/u1"]
    assert [e.step for e in events.Scalars("valid/UA")] == [1, 2]
    assert "time left: 0:00:10" in (tmp_path / "log.txt").read_text()


def test_an_epoch_that_is_trained_again_replaces_the_former_one(tmp_path):
    options = tmp_path / "log.txt", "tensorboard", tmp_path
    first = TrackedTrainLogger(*options)
    log_epochs(first, (1, 2, 3), 0.25)
    first.tracker.writer.close()
    again = TrackedTrainLogger(*options)
    log_epochs(again, (2, 3), 0.75)
    again.tracker.writer.close()
    values = [
        (e.step, e.value) for e in read_events(tmp_path).Scalars("valid/UA")
    ]
    assert values == [(1, 0.25), (2, 0.75), (3, 0.75)]


def test_a_yaml_that_is_only_read_starts_no_tracker(tmp_path):
    TrackedTrainLogger(tmp_path / "log.txt", "tensorboard", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wandb_gets_them_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    log = TrackedTrainLogger(tmp_path / "log.txt", "wandb", tmp_path)
    log_epochs(log, (1, 2), 0.5)
    log.log_audio("valid/u1", torch.zeros(16000), 3)
    assert log.tracker.run.summary["valid/UA"] == 0.5
    log.tracker.run.finish()


def test_mlflow_gets_them_and_a_resumed_run_goes_on(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    for epochs in ((1,), (2,)):
        log = TrackedTrainLogger(tmp_path / "log.txt", "mlflow", tmp_path)
        log_epochs(log, epochs, 0.5)
        mlflow.end_run()
    (run,) = mlflow.search_runs(experiment_names=["mlkd"], output_format="list")
    client = mlflow.MlflowClient()
    history = client.get_metric_history(run.info.run_id, "valid/UA")
    assert [m.step for m in history] == [1, 2]


def test_an_unknown_tracker_is_refused_and_a_missing_one_is_named(
    tmp_path, monkeypatch
):
    with pytest.raises(InputError, match="'paper' for tracker, expected"):
        TrackedTrainLogger("log.txt", "paper", tmp_path)
    monkeypatch.setattr("mlkd_brain.optional.is_installed", lambda name: False)
    with pytest.raises(InputError, match="run `pip install wandb`"):
        TrackedTrainLogger("log.txt", "wandb", tmp_path)


class FixedNoise:
    """Every second utterance at 5 dB, the others at 0 dB."""

    def sample(self, name):
        return type("Sample", (), {"snr_db": 5 * (int(name[1:]) % 2)})


def test_training_logs_ua_by_snr_the_rate_and_two_inputs(
    tiny_wav2vec2, tmp_path
):
    brain = make_brain(
        EmotionBrain, classifier(tiny_wav2vec2), tmp_path, epochs=2, lr=1e-4
    )
    brain.hparams.valid_noise = FixedNoise()
    loaders = {"batch_size": 4}
    brain.fit(
        brain.hparams.epoch_counter,
        fold(8),
        fold(8),
        train_loader_kwargs=loaders,
        valid_loader_kwargs=loaders,
    )
    first, last = brain.train_logger.epochs
    assert last["train_stats"]["lr"] == 1e-4
    by_snr = [last["valid_stats"][f"UA {snr} dB"] for snr in (0, 5)]
    # classes 0 and 2 are at 0 dB, 1 and 3 at 5 dB: each SNR has half of them
    assert sum(by_snr) / 2 == pytest.approx(last["valid_stats"]["UA"])
    assert "UA 0 dB" not in first["train_stats"]
    assert brain.train_logger.audio == [
        ("valid/u0", 4000, 1),
        ("valid/u1", 4000, 1),
    ]
