"""Checkpoints that are complete or absent.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import shutil

from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.distributed import if_main_process

UNFINISHED = ".unfinished"


class AtomicCheckpointer(Checkpointer):
    """A ``Checkpointer`` that can be killed while it saves.

    SpeechBrain's own writes into a checkpoint's folder, the meta file first: if
    it is killed meanwhile, the latest checkpoint cannot be loaded. Here a folder
    gets its final name when all files are in it.

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

    def save_checkpoint(self, *args, **kwargs):
        """See ``Checkpointer.save_checkpoint``."""
        if if_main_process():
            unfinished = self.checkpoints_dir / UNFINISHED
            shutil.rmtree(unfinished, ignore_errors=True)
        saved = super().save_checkpoint(*args, **kwargs)
        if saved is None:  # not the main process
            return None
        path = self.checkpoints_dir / saved.path.name
        os.replace(saved.path, path)
        saved.path.parent.rmdir()
        files = {name: path / f.name for name, f in saved.paramfiles.items()}
        return saved._replace(path=path, paramfiles=files)

    def _new_checkpoint_dirpath(self):
        name = super()._new_checkpoint_dirpath().name
        return self.checkpoints_dir / UNFINISHED / name

    def _custom_checkpoint_dirpath(self, name):
        name = super()._custom_checkpoint_dirpath(name).name
        return self.checkpoints_dir / UNFINISHED / name
