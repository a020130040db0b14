"""A teacher that stopped early is used, but not unknowingly."""

import logging

from mlkd_brain.method.teachers import recover_best
from torch import nn

from speechbrain.utils.checkpoints import Checkpointer


def save_run(folder, epochs, limit):
    model = nn.Linear(1, 1)
    checkpointer = Checkpointer(folder / "save", {"model": model})
    for epoch in range(1, epochs + 1):
        nn.init.constant_(model.weight, epoch)
        score = 0.9 if epoch == 2 else 0.5
        checkpointer.save_checkpoint(
            meta={"UA": score, "epoch": epoch, "selection": [score, 0.0]}
        )
    (folder / "hyperparams.yaml").write_text(
        f"number_of_epochs: {limit}\nlr: !ref <number_of_epochs>\n"
    )


def test_the_best_epoch_is_loaded_and_an_early_stop_is_logged(tmp_path, caplog):
    save_run(tmp_path, epochs=3, limit=200)
    model = nn.Linear(1, 1)
    with caplog.at_level(logging.WARNING):
        summary = recover_best(model, tmp_path / "save", "remedy")
    assert summary == {"UA": 0.9, "epoch": 2}
    assert model.weight.item() == 2.0
    assert "was trained for 3 of 200 epochs" in caplog.text


def test_a_finished_run_is_used_in_silence(tmp_path, caplog):
    save_run(tmp_path, epochs=3, limit=3)
    with caplog.at_level(logging.WARNING):
        recover_best(nn.Linear(1, 1), tmp_path / "save", "remedy")
    assert "epochs" not in caplog.text
