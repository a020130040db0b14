"""What a run's yaml says of its model, as data: nothing is built or imported.

Authors
 * The MLKD team 2026
"""

import pathlib
import sys
from typing import Any, NamedTuple

import yaml
from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS

NEW = "!new:"  # the tag of HyperPyYAML for an instance of a class


class Built(NamedTuple):
    """A value that a yaml builds: its tag, e.g. "!new:a.Class", and arguments."""

    tag: str
    arguments: Any

    @property
    def class_name(self) -> str:
        """Where the class is, e.g. "package.module.Class"; "" without one."""
        return self.tag.removeprefix(NEW) if self.tag.startswith(NEW) else ""


class _DataLoader(yaml.SafeLoader):
    """Reads a tagged value as ``Built``."""

    def as_data(self, suffix, node):
        if isinstance(node, yaml.MappingNode):
            arguments: Any = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            arguments = self.construct_sequence(node, deep=True)
        else:
            arguments = self.construct_scalar(node)
        return Built(f"!{suffix}", arguments)


_DataLoader.add_multi_constructor("!", _DataLoader.as_data)


def describe(text: str) -> dict[str, Any]:
    """A resolved HyperPyYAML text as data.

    Arguments
    ---------
    text : str
        Its references are resolved, as in the file that a run keeps.

    Returns
    -------
    dict
        Key to value; ``Built`` for what would be built, called or imported.

    Example
    -------
    >>> describe("lr: 0.1\\nmodel: !new:os.PathLike {encoder: 1}")["model"]
    Built(tag='!new:os.PathLike', arguments={'encoder': 1})
    """
    return yaml.load(text, Loader=_DataLoader)


def describe_run(folder: str | pathlib.Path) -> dict[str, Any]:
    """The yaml of a run as data, see ``describe``.

    Raises
    ------
    InputError
        If the run has none, or it is damaged.
    """
    path = pathlib.Path(folder) / HPARAMS
    try:
        described = describe(path.read_text(encoding="utf-8"))
        if {"system", "model"} <= described.keys():
            return described
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        pass
    raise InputError(
        f"{path}: is damaged. Put a copy in its place, or delete the run's "
        "folder and train anew."
    )


def imported(class_name: str) -> Any:
    """The class of this name if its module has been imported, else None.

    Example
    -------
    >>> imported("pathlib.Path") is pathlib.Path
    True
    >>> imported("not_imported.Model") is None
    True
    """
    module, _, name = class_name.rpartition(".")
    return getattr(sys.modules.get(module), name, None)
