"""HyperPyYAML files as plain data: nothing in them is built or called.

Authors
 * The MLKD team 2026
"""

import functools
import io
import json
import pathlib
from typing import Any

import yaml
from mlkd_brain.errors import InputError
from mlkd_brain.names import CORPUS
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is
AN_OBJECT = (
    "what its yaml builds"  # replaces it: --vad null can replace one too
)


def plain_values(text) -> dict[str, Any]:
    """Keys of a resolved HyperPyYAML text or file whose values are no objects.

    Numbers, strings, lists, mappings and None; nothing is executed.

    Example
    -------
    >>> plain_values("a: 1\\nb: !new:os.PathLike\\nc: {d: [2]}")
    {'a': 1, 'c': {'d': [2]}}
    """
    values = all_values(text)
    return {key: value for key, value in values.items() if value != AN_OBJECT}


def all_values(text) -> dict[str, Any]:
    """As ``plain_values``, with ``AN_OBJECT`` for what the yaml builds."""
    values = {
        key: value if _is_plain(value) else AN_OBJECT
        for key, value in YAML(typ="rt").load(text).items()
    }
    # default: an object without arguments within a list or a mapping
    return json.loads(json.dumps(values, default=lambda _: AN_OBJECT))


def _is_plain(value):
    return getattr(value, "tag", None) is None or value.tag.value is None


def top_level_keys(text: str) -> set[str]:
    """Keys of a yaml, as text; no object in it is built.

    Example
    -------
    >>> sorted(top_level_keys("lr: 0.1\\nopt: !new:os.PathLike {lr: 1}"))
    ['lr', 'opt']
    """
    return {key.value for key, _ in compose(text)}


def built_keys(text: str) -> set[str]:
    """Keys of a yaml whose values it builds.

    Example
    -------
    >>> built_keys(
    ...     "lr: 0.1\\nopt: !new:os.PathLike {lr: !ref <lr>}\\na: !ref <lr>"
    ... )
    {'opt'}
    """
    builders = ("!new:", "!name:", "!apply:")
    return {k.value for k, v in compose(text) if v.tag.startswith(builders)}


@functools.lru_cache
def compose(text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Nodes of the keys of a yaml and of their values; they have tags."""
    content = yaml.compose(text, Loader=_Loader)
    return content.value if content else []


def read_yaml_text(path: str | pathlib.Path, remedy: str = "") -> str:
    """The text of a yaml file that can be parsed and has keys.

    Arguments
    ---------
    path : str or pathlib.Path
        The file.
    remedy : str
        End of the message when there is no such file.

    Raises
    ------
    InputError
        If it is missing, is no text, or no yaml; with the line.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        content = yaml.compose(text, Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text in UTF-8"
        if isinstance(error, FileNotFoundError):
            reason = "no such file"
        raise InputError(f"{path}: {reason}. {remedy}".strip()) from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {_in_one_line(error)}") from None
    if not isinstance(content, yaml.MappingNode):
        raise InputError(f"{path}: holds no keys; a recipe's yaml does.")
    return text


def read_word(key: str, word: str) -> Any:
    """A word of a command line as yaml: a number, a list, True, null ...

    Raises
    ------
    InputError
        If it is no yaml.

    Example
    -------
    >>> read_word("lr", "1e-4"), read_word("snrs_db", "[0, 5]")
    (0.0001, [0, 5])
    """
    try:
        return YAML(typ="safe", pure=True).load(word)
    except (YAMLError, ValueError) as error:
        raise InputError(
            f"--{key} '{word[:60]}' cannot be read: {_in_one_line(error)}. "
            "Put quotes around text, and brackets around a list."
        ) from None


def as_word(value: Any) -> str:
    """A value of a yaml as a word of a command line.

    Example
    -------
    >>> [
    ...     as_word(value)
    ...     for value in (True, None, ["f16", "volvo"], 0.5, "g712")
    ... ]
    ['true', 'null', '["f16", "volvo"]', '0.5', 'g712']
    """
    is_text = isinstance(value, (str, pathlib.Path))
    return str(value) if is_text else json.dumps(value)


def _in_one_line(error):
    """What is wrong with a yaml, and where."""
    if isinstance(error, (yaml.MarkedYAMLError, MarkedYAMLError)):
        mark = error.problem_mark
        where = f"line {mark.line + 1}, " if mark else ""
        return f"{where}{error.problem or error.context}"
    return str(error).splitlines()[0]


def merged(hparams_file: str | pathlib.Path, overrides: dict) -> str:
    """Overrides of the command line on top of those of the corpus, as yaml.

    The recipes of all corpora share their yaml files; what is particular to a
    corpus is in ``corpus.yaml`` beside them, if there is one.
    """
    path = pathlib.Path(hparams_file).with_name(CORPUS)
    round_trip = YAML()
    round_trip.width = 4096  # a long path stays in its line
    content: Any = {}
    if path.is_file():
        content = round_trip.load(read_yaml_text(path)) or {}
    content.update(overrides)
    stream = io.StringIO()
    round_trip.dump(content, stream)
    return stream.getvalue() if content else ""
