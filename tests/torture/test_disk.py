"""A full disk: one line, and what was there is there still."""

import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.errors import InputError, cli_errors
from mlkd_brain.files import replaced_folder, write_text
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.run.checkpoints import AtomicCheckpointer
from mlkd_brain.tensor_store import TensorStore

FULL = "the disk or the quota is full"
KEPT = "nothing: one line, what was there is whole"
TOO_LARGE = 2_000_000  # bytes, of a disk of 1 MB


def test_a_text_file_keeps_its_content(tally, tiny_disk):
    write_text("before", tiny_disk / "log.txt")
    with pytest.raises(InputError, match=f"log.txt: cannot be written, {FULL}"):
        write_text("x" * TOO_LARGE, tiny_disk / "log.txt")
    assert (tiny_disk / "log.txt").read_text() == "before"
    assert [path.name for path in tiny_disk.iterdir()] == ["log.txt"]
    tally.count("disk", "a table or a log", KEPT)


def test_the_message_has_the_size_and_what_is_missing(tiny_disk):
    with pytest.raises(
        InputError, match="It takes 2.0 MB, 9.* kB of it missing"
    ):
        write_text("x" * TOO_LARGE, tiny_disk / "log.txt")


def test_a_folder_keeps_its_files(tally, tiny_disk):
    with replaced_folder(tiny_disk / "report") as folder:
        (folder / "page").write_text("before")
    with pytest.raises(InputError, match=f"report: cannot be written, {FULL}"):
        with replaced_folder(tiny_disk / "report") as folder:
            np.save(folder / "numbers.npy", np.zeros(TOO_LARGE // 8))
    assert (tiny_disk / "report" / "page").read_text() == "before"
    assert [path.name for path in tiny_disk.iterdir()] == ["report"]
    tally.count("disk", "a folder of several files", KEPT)


def test_a_store_keeps_its_tensors(tally, tiny_disk):
    store = TensorStore(tiny_disk)
    store["u1"] = {"x": torch.ones(10)}
    with pytest.raises(InputError, match=f"u2.safetensors: .*{FULL}"):
        store["u2"] = {"x": torch.ones(TOO_LARGE // 4)}
    assert "u1" in store and "u2" not in store
    assert [path.name for path in tiny_disk.iterdir()] == ["u1.safetensors"]
    tally.count("disk", "the teacher's cache", KEPT)


def test_the_noise_cache_is_refused_before_it_is_begun(
    tally, tiny_disk, tmp_path
):
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 160000)
    soundfile.write(tmp_path / "hiss.wav", noise, 16000)
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(tmp_path, tiny_disk / "noise", shares=shares)
    with pytest.raises(InputError, match="takes 3.2 MB, for which .* missing"):
        bank.prepare()
    tally.count("disk", "the noise cache", KEPT)


def test_a_write_that_nobody_expected_to_fail_is_one_line(
    tally, tiny_disk, capsys
):
    with pytest.raises(SystemExit) as stopped, cli_errors():
        with open(tiny_disk / "env.log", "w") as file:
            file.write("x" * TOO_LARGE)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert FULL in printed and printed.count("\n") == 1
    tally.count("disk", "any other file", KEPT)


def keeper_of(folder, model):
    return AtomicCheckpointer(folder, {"model": model})


def test_a_full_disk_leaves_the_checkpoint_before(tally, tiny_disk):
    """Two of three weights fit on a disk of 1 MB."""
    keeper = keeper_of(tiny_disk, torch.nn.Linear(300, 300))
    keeper.save_checkpoint(meta={"UA": 0.5})
    keeper.save_checkpoint(meta={"UA": 0.6})
    with pytest.raises(InputError) as refusal:
        keeper.save_checkpoint(meta={"UA": 0.7})
    assert "a checkpoint takes 361.2 kB, for which" in str(refusal.value)
    assert "are missing" in str(refusal.value)
    assert keeper.recover_if_possible().meta["UA"] == 0.6
    assert {path.name[:5] for path in tiny_disk.iterdir()} == {"CKPT+"}
    tally.count("disk", "a checkpoint", KEPT)


def test_a_disk_that_fills_while_it_is_written_to_is_one_line(
    tally, tiny_disk, monkeypatch
):
    """The prediction was right when it was made; torch has an error of its own."""
    monkeypatch.setattr("mlkd_brain.run.checkpoints.require_space", print)
    keeper = keeper_of(tiny_disk, torch.nn.Linear(500, 500))
    small = keeper_of(tiny_disk, torch.nn.Linear(10, 10))
    small.save_checkpoint(meta={"UA": 0.5})
    (tiny_disk / "of_another").write_bytes(bytes(400_000))
    with pytest.raises(
        InputError, match="the disk or the quota is full"
    ) as full:
        keeper.save_checkpoint(meta={"UA": 0.7})
    assert "It takes 1.0 MB" in str(full.value)
    assert small.recover_if_possible().meta["UA"] == 0.5
    assert not list(tiny_disk.glob(".unfinished*"))
    tally.count("disk", "a checkpoint", KEPT)
