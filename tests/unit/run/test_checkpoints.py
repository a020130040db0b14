"""Checkpoints of a run that is killed while it saves."""

import pytest
import torch

from mlkd_brain.run.checkpoints import AtomicCheckpointer


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
