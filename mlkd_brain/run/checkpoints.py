"""Checkpoints that are complete and finite, and known for damaged if they are.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import shutil
from collections.abc import Iterable

import torch
from mlkd_brain.disk import free_space, human_size, require_space, writing
from mlkd_brain.errors import InputError
from mlkd_brain.run.checkpoint_files import find_damage, read_meta, seal
from mlkd_brain.run.nonfinite import refuse_nonfinite
from torch.utils._pytree import tree_leaves

from speechbrain.utils.checkpoints import METAFNAME, Checkpointer
from speechbrain.utils.distributed import if_main_process, run_on_main
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

UNFINISHED = ".unfinished"
ASIDE = "damaged-"  # before the name of a checkpoint that cannot be read
NUMBER = "number"  # in its meta file: counts a run's checkpoints
NEWEST = 2  # checkpoints that are kept besides the best: one can be damaged


class AtomicCheckpointer(Checkpointer):
    """A ``Checkpointer`` that survives kills, full disks and damaged files.

    SpeechBrain's own writes into a checkpoint's folder, the meta file first: if
    it is killed meanwhile, the latest checkpoint cannot be loaded. Here a folder
    gets its final name when all files are in it. What has a
    weight that is not finite is not saved. The newest checkpoint is the one with
    the highest number, whatever the clocks of the machines say; if it is damaged
    it is set aside and the one before is loaded.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "save"
    >>> checkpointer = AtomicCheckpointer(folder)
    >>> folder.exists(), checkpointer.list_checkpoints()
    (False, [])
    >>> saved = checkpointer.save_checkpoint(meta={"UA": 0.5})
    >>> [c.path == saved.path for c in checkpointer.list_checkpoints()]
    [True]
    """

    def __init__(self, checkpoints_dir, *args, **kwargs):
        # it would make the folder, which a refused command must not leave
        super().__init__(os.curdir, *args, **kwargs)
        self.checkpoints_dir = pathlib.Path(checkpoints_dir)

    def _list_checkpoint_dirs(self):
        if not self.checkpoints_dir.is_dir():
            return []
        return super()._list_checkpoint_dirs()

    def require_space(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Refuse a training whose checkpoints the disk cannot hold.

        Arguments
        ---------
        weights : iterable of torch.nn.Parameter
            Of the model; AdamW keeps two numbers for each that it learns.

        Raises
        ------
        InputError
            With what they take, and what is missing.
        """
        size = sum(
            w.numel() * w.element_size() * (3 if w.requires_grad else 1)
            for w in weights
        )
        # those that are kept, and one that is being written
        number = NEWEST + 2 - len(self.list_checkpoints())
        logger.info(
            f"{self.checkpoints_dir}: a checkpoint takes {human_size(size)}, "
            f"{human_size(free_space(self.checkpoints_dir))} of the disk are left"
        )
        number = max(number, 1)
        what = f"what it keeps, {number} checkpoints,"
        require_space(self.checkpoints_dir, number * size, what)

    def save_checkpoint(self, meta={}, *args, **kwargs):  # noqa: B006
        """See ``Checkpointer.save_checkpoint``.

        Raises
        ------
        InputError
            If a weight or a number of the meta file is not finite, or the disk
            is full; the checkpoints before stay as they are.
        """
        refuse_nonfinite(self.checkpoints_dir, meta, self.recoverables)
        size = _size(self.recoverables)
        if if_main_process():
            self._remove_unfinished()
            what = "a checkpoint"
            require_space(self.checkpoints_dir, size, what)
            meta = {**meta, NUMBER: 1 + self._last_number()}
        with writing(self.checkpoints_dir, size):
            try:
                saved = super().save_checkpoint(meta, *args, **kwargs)
                if saved is None:  # not the main process
                    return None
                seal(saved.path)
            except BaseException:
                self._remove_unfinished()
                raise
        path = self.checkpoints_dir / saved.path.name
        os.replace(saved.path, path)
        saved.path.parent.rmdir()
        files = {name: path / f.name for name, f in saved.paramfiles.items()}
        return saved._replace(path=path, paramfiles=files)

    def save_and_keep_only(
        self,
        meta={},  # noqa: B006
        end_of_epoch=True,
        max_keys=(),
        ckpt_predicate=None,
        **kwargs,
    ):
        """Save a checkpoint and delete what it supersedes.

        Kept are the newest two, and the best by each key. Arguments are those of
        ``Checkpointer.save_and_keep_only``, of which the others do nothing.

        Arguments
        ---------
        meta, end_of_epoch
            See ``Checkpointer.save_checkpoint``.
        max_keys : list of str
            Of the meta file; the highest value is the best.
        ckpt_predicate : callable, optional
            Which checkpoints may be deleted.
        **kwargs
            Only ``verbosity`` counts.
        """
        options = {k: v for k, v in kwargs.items() if k == "verbosity"}
        self.save_checkpoint(meta, end_of_epoch=end_of_epoch, **options)
        run_on_main(self._delete_superseded, args=[max_keys, ckpt_predicate])

    def _delete_superseded(self, max_keys, may_delete):
        found = sorted(self.list_checkpoints(), key=recency, reverse=True)
        kept = [c.path for c in found[:NEWEST]]
        for key in max_keys:
            having = [c for c in found if key in c.meta]
            # of two that are equal the earlier, which is the later in the list
            best = max(reversed(having), key=lambda c: c.meta[key])
            kept.append(best.path)
        for checkpoint in found:
            if checkpoint.path in kept:
                continue
            if may_delete is None or may_delete(checkpoint):
                # first out of the list: it is never there in part
                unfinished = self.checkpoints_dir / UNFINISHED
                unfinished.mkdir(exist_ok=True)
                os.replace(checkpoint.path, unfinished / checkpoint.path.name)
                self._remove_unfinished()

    def recover_if_possible(self, *args, **kwargs):
        """Load the newest checkpoint that can be read, if there is one.

        With arguments as ``Checkpointer.recover_if_possible``.

        Raises
        ------
        InputError
            If it can be read but does not fit the objects to be loaded.
        """
        if args or kwargs:
            return super().recover_if_possible(*args, **kwargs)
        run_on_main(self.set_damaged_aside)
        newest = self.find_checkpoint(importance_key=recency)
        if newest is None:
            return None
        try:
            self.load_checkpoint(newest)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{newest.path}: is not damaged, but cannot be loaded "
                f"({_last_line(error)}). Give the options that the run was "
                "started with, or delete its folder and train anew."
            ) from None
        return newest

    def set_damaged_aside(self) -> None:
        """Rename the newest ones that cannot be read; their epochs are repeated.

        Raises
        ------
        InputError
            If an older one has no readable meta file: it may be the best epoch.
        """
        # by name, which is their time
        for path in sorted(self.checkpoints_dir.glob("CKPT+*"), reverse=True):
            if read_meta(path) is not None:
                break
            self._set_aside(path, f"{METAFNAME} cannot be read")
        found = sorted(self.list_checkpoints(), key=recency, reverse=True)
        for checkpoint in found:
            damage = find_damage(checkpoint.path, self.recoverables)
            if damage is None:
                return  # those before it are looked at when they are needed
            self._set_aside(checkpoint.path, damage)

    def _set_aside(self, path, damage):
        aside = path.with_name(ASIDE + path.name)
        os.replace(path, aside)
        logger.warning(
            f"{path}: {damage}; it was set aside as {aside.name}. The run goes "
            "on from the checkpoint before it, or from the start."
        )

    def _construct_checkpoint_objects(self, checkpoint_dirs):
        damaged = [p for p in checkpoint_dirs if read_meta(p) is None]
        if damaged:
            raise InputError(
                f"{damaged[0] / METAFNAME}: is damaged. Put a copy in its place. "
                "Of the newest checkpoint, the command of the training repeats "
                "the epoch; an older one may be the best epoch: without it, "
                "delete the run's folder and train anew."
            )
        return super()._construct_checkpoint_objects(checkpoint_dirs)

    def _last_number(self):
        return max(
            (c.meta.get(NUMBER, 0) for c in self.list_checkpoints()), default=0
        )

    def _remove_unfinished(self):
        if if_main_process():
            unfinished = self.checkpoints_dir / UNFINISHED
            shutil.rmtree(unfinished, ignore_errors=True)

    def _new_checkpoint_dirpath(self):
        name = super()._new_checkpoint_dirpath().name
        return self.checkpoints_dir / UNFINISHED / name

    def _custom_checkpoint_dirpath(self, name):
        name = super()._custom_checkpoint_dirpath(name).name
        return self.checkpoints_dir / UNFINISHED / name


def recency(checkpoint) -> tuple:
    """Which of two checkpoints is newer; clocks decide on old ones alone."""
    return checkpoint.meta.get(NUMBER, 0), checkpoint.meta["unixtime"]


def _size(recoverables):
    """Bytes of all tensors that a checkpoint holds."""
    states = [
        held.state_dict()
        for held in recoverables.values()
        if hasattr(held, "state_dict")
    ]
    return sum(
        leaf.numel() * leaf.element_size()
        for leaf in tree_leaves(states)
        if isinstance(leaf, torch.Tensor)
    )


def _last_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[
        -1
    ].strip()
