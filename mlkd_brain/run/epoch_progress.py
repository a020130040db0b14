"""What a checkpoint has of the log, and of the epoch that it is written in.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import torch
from mlkd_brain.files import write_text
from mlkd_brain.run.processes import gather, rank_and_size
from torch.utils._pytree import tree_map_only

from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from speechbrain.utils.distributed import if_main_process


class EpochProgress:
    """The log so far, and what its next line is made from.

    A resumed run so has the log of one that was never interrupted: lines of an
    epoch that is repeated are not there twice.

    Arguments
    ---------
    brain : speechbrain.Brain
        Has a ``statistics``, the names of attributes that are saved; those of
        an interrupted epoch come back in ``recovered``. Each process has its
        own.
    """

    def __init__(self, brain: Any) -> None:
        self.brain = brain
        self.recovered: dict[str, Any] = {}

    @mark_as_saver
    def _save(self, path):
        own = {
            name: getattr(self.brain, name) for name in self.brain.statistics
        }
        own = tree_map_only(torch.Tensor, lambda value: value.cpu(), own)
        processes = gather({name: _plain(value) for name, value in own.items()})
        if if_main_process():
            log = _log_file(self.brain)
            text = log.read_text("utf-8") if log and log.exists() else ""
            torch.save({"log": text, "processes": processes}, path)

    @mark_as_loader
    def _load(self, path, end_of_epoch):
        saved = torch.load(path, map_location=self.brain.device)
        log = _log_file(self.brain)
        if log and if_main_process():
            write_text(saved["log"], log)
        if not end_of_epoch:
            self.recovered = saved["processes"][rank_and_size()[0]]


def _log_file(brain):
    path = getattr(brain.train_logger, "save_file", None)
    return None if path is None else pathlib.Path(path)


def _plain(value):
    """Without the classes that ``torch.load`` refuses, as defaultdict."""
    return dict(value) if isinstance(value, dict) else value


# every process gathers, the main one writes
register_checkpoint_hooks(EpochProgress, save_on_main_only=False)
