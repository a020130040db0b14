"""Checkpoints of a run that is killed while it saves."""

from collections import namedtuple

import pytest
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.run.checkpoint_files import find_damage
from mlkd_brain.run.checkpoints import AtomicCheckpointer, recency


class Killed(torch.nn.Linear):
    """A layer whose saving never ends."""

    def state_dict(self, *args, **kwargs):
        raise KeyboardInterrupt


def checkpointer_of(folder, model):
    # what is saved first is there when the rest is not
    return AtomicCheckpointer(folder, {"a": torch.nn.Linear(1, 1), "b": model})


def test_what_is_killed_while_it_saves_was_never_saved(tmp_path):
    whole = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    first = whole.save_and_keep_only(meta={"UA": 0.5}, max_keys=["UA"])
    with pytest.raises(KeyboardInterrupt):
        checkpointer_of(tmp_path, Killed(1, 1)).save_checkpoint(meta={"UA": 1})
    assert first is None and len(whole.list_checkpoints()) == 1
    assert whole.recover_if_possible().meta["UA"] == 0.5
    # and the next one saves as if nothing had been
    whole.save_checkpoint(meta={"UA": 0.7})
    assert len(whole.list_checkpoints()) == 2
    assert {path.name[:5] for path in tmp_path.iterdir()} == {"CKPT+"}


def test_two_checkpoints_in_a_second_are_two(tmp_path):
    whole = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    for ua in (0.1, 0.2, 0.3):
        whole.save_checkpoint(meta={"UA": ua})
    assert len(whole.list_checkpoints()) == 3
    assert whole.find_checkpoint(max_key="UA").meta["UA"] == 0.3


def test_the_best_and_the_newest_two_are_kept(tmp_path):
    keeper = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    for ua in (0.1, 0.9, 0.3, 0.4, 0.5):
        keeper.save_and_keep_only(meta={"UA": ua}, max_keys=["UA"])
    kept = sorted(keeper.list_checkpoints(), key=recency)
    assert [c.meta["UA"] for c in kept] == [0.9, 0.4, 0.5]


def test_a_clock_that_goes_back_makes_no_checkpoint_old(tmp_path, monkeypatch):
    keeper = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    for hours, ua in ((9, 0.1), (8, 0.2), (7, 0.3)):
        monkeypatch.setattr("time.time", lambda hours=hours: 3600.0 * hours)
        keeper.save_and_keep_only(meta={"UA": ua})
    assert keeper.recover_if_possible().meta["UA"] == 0.3


@pytest.mark.parametrize("where", ["weight", "meta"])
def test_nothing_that_is_not_finite_is_kept(tmp_path, where):
    model = torch.nn.Linear(2, 2)
    keeper = checkpointer_of(tmp_path, model)
    keeper.save_checkpoint(meta={"UA": 0.5})
    if where == "weight":
        with torch.no_grad():
            model.weight[1, 0] = torch.inf
        name = "the weight b.weight"
    else:
        name = r"loss \[0.5, nan\]"
    meta = {"loss": [0.5, float("nan") if where == "meta" else 0.1]}
    with pytest.raises(InputError, match=f"is kept of {name}, which is not fi"):
        keeper.save_checkpoint(meta=meta)
    (left,) = keeper.list_checkpoints()
    assert left.meta["UA"] == 0.5


def test_a_training_whose_checkpoints_do_not_fit_is_not_begun(
    tmp_path, monkeypatch
):
    model = torch.nn.Linear(100, 100, bias=False)  # 40 kB, with AdamW's 120
    keeper = checkpointer_of(tmp_path, model)
    usage = namedtuple("usage", "total used free")(0, 0, 400_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(
        InputError, match="4 checkpoints, takes 480.0 kB, for wh"
    ):
        keeper.require_space(model.parameters())
    keeper.save_checkpoint()
    keeper.require_space(model.parameters())


def test_an_older_checkpoint_without_its_meta_file_is_not_passed_over(tmp_path):
    keeper = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    best = keeper.save_checkpoint(meta={"UA": 0.9})
    keeper.save_checkpoint(meta={"UA": 0.5})
    (best.path / "CKPT.yaml").write_text("")
    with pytest.raises(InputError, match="CKPT.yaml: is damaged.*best epoch"):
        keeper.recover_if_possible()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more"])
def test_damage_is_found_in_checkpoints_of_earlier_versions(tmp_path, content):
    keeper = checkpointer_of(tmp_path, torch.nn.Linear(1, 1))
    path = keeper.save_checkpoint().path
    (path / "sha256.json").unlink()
    assert find_damage(path) is None
    (path / "b.ckpt").write_bytes(content)
    assert find_damage(path) == "b.ckpt is damaged"
    assert find_damage(path, ["a"]) is None


def test_a_checkpoint_that_does_not_fit_is_not_set_aside(tmp_path):
    checkpointer_of(tmp_path, torch.nn.Linear(1, 1)).save_checkpoint()
    with pytest.raises(
        InputError, match="is not damaged, but cannot be loaded"
    ):
        checkpointer_of(tmp_path, torch.nn.Linear(2, 2)).recover_if_possible()
    assert {path.name[:5] for path in tmp_path.iterdir()} == {"CKPT+"}
