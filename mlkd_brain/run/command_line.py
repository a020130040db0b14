"""The command line of a recipe's script: read and checked before torch loads.

    python train_teacher.py hparams/teacher.yaml --fold 3 --lr=0.0001 --device cpu

A key of the yaml, or one of SpeechBrain's own options; of an option given twice
the last counts.

Authors
 * The MLKD team 2026
"""

import dataclasses
import functools
import importlib
import importlib.util
import pathlib
import runpy
import sys
import types
from typing import Any

from hyperpyyaml import resolve_references
from mlkd_brain.errors import InputError, nearest
from mlkd_brain.run import plain_yaml
from mlkd_brain.run.help import help_page
from mlkd_brain.run.options import OPTIONS, RUN_OPTIONS

HELP = ("-h", "--help")


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """What a script was given, checked."""

    hparams_file: str  #: the yaml
    overrides: str  #: of its keys, as yaml; those of the corpus are among them
    speechbrain: list[str]  #: words for SpeechBrain's own options


def read_command_line(
    argv: list[str], script: str = "SCRIPT.py", about: str = ""
) -> CommandLine:
    """Read a script's options and check them; nothing is built or created.

    Arguments
    ---------
    argv : list of str
        ``hparams/x.yaml`` and ``--key value`` or ``--key=value``.
    script, about : str
        The script's name and docstring, for ``--help``.

    Raises
    ------
    InputError
        If the yaml is missing or an option unknown or out of its range.
    SystemExit
        With code 0, after ``--help``.
    """
    files, pairs, flags = split_words(argv)
    if flags & {*HELP}:
        print(help_page(script, about, files, speechbrain_parser()))
        raise SystemExit(0)
    if len(files) != 1:
        raise InputError(
            f"Give one yaml, got {', '.join(files) or 'none'}: e.g. python "
            "train_teacher.py hparams/teacher.yaml --fold 3"
        )
    (hparams_file,) = files
    text = plain_yaml.read_yaml_text(
        hparams_file,
        "Run from the recipe's folder, e.g. python train_teacher.py "
        "hparams/teacher.yaml",
    )
    keys = plain_yaml.top_level_keys(text)
    _refuse_unknown(hparams_file, keys, [*pairs, *_names(flags)])
    own = {key: typed(key, pairs[key]) for key in pairs if key in keys}
    _check_own(hparams_file, text, own)
    theirs = {key: word for key, word in pairs.items() if key not in own}
    _check_theirs(theirs)
    words = [w for pair in theirs.items() for w in _as_words(*pair)]
    overrides = plain_yaml.merged(hparams_file, own)
    return CommandLine(hparams_file, overrides, [*words, *sorted(flags)])


def split_words(
    argv: list[str],
) -> tuple[list[str], dict[str, str], set[str]]:
    """Files, ``--key value`` pairs and flags of a command line.

    Raises
    ------
    InputError
        If an option has no value.

    Example
    -------
    >>> split_words(["a.yaml", "--lr", "-1", "--lr=2", "--debug"])
    (['a.yaml'], {'lr': '2'}, {'--debug'})
    """
    files: list[str] = []
    pairs: dict[str, str] = {}
    flags: set[str] = set()
    words = list(argv)
    while words:
        word = words.pop(0)
        key, equals, value = word.partition("=")
        if word in HELP or word[2:] in _flags():
            flags.add(word)
        elif not word.startswith("--"):
            files.append(word)
        elif equals:
            pairs[key[2:]] = value
        elif not words or words[0].startswith("--"):
            hint = nearest(key[2:], _flags())
            raise InputError(f"{word} has no value; give {word} VALUE.{hint}")
        else:
            pairs[key[2:]] = words.pop(0)
            while _is_list(key[2:]) and words and not words[0].startswith("--"):
                pairs[key[2:]] += f" {words.pop(0)}"
    return files, pairs, flags


def typed(key: str, word: str) -> Any:
    """The value of a key, from a word: text as it is, all else as yaml.

    Example
    -------
    >>> (
    ...     typed("system", "1e3"),
    ...     typed("held_out_noise", "null"),
    ...     typed("fold", "3"),
    ... )
    ('1e3', None, 3)
    """
    if OPTIONS.is_text(key):
        nullable = "or null" in OPTIONS.allowed(key)
        return None if nullable and word in ("", "null") else word
    return plain_yaml.read_word(key, word)


def _refuse_unknown(hparams_file, keys, given):
    known = keys | {*speechbrain_actions()}
    for key in given:
        if key not in known:
            raise InputError(
                f"{hparams_file} has no key '{key}'.{nearest(key, known)} The "
                "keys at its top level and SpeechBrain's options can be given "
                "as --key value; --help lists them."
            )


def _check_own(hparams_file, text, own):
    """Every plain value that the run would have, given here or in the yaml."""
    for key in own.keys() & plain_yaml.built_keys(text):
        is_part = isinstance(own[key], dict)  # of an object's arguments
        if not is_part and key not in OPTIONS.properties:
            raise InputError(
                f"--{key} cannot be given: {hparams_file} builds it from other "
                "keys. Change those, or the yaml."
            )
    remedy = f"Give another --{{key}}, or change it in {hparams_file}."
    OPTIONS.check(own, remedy)
    try:
        merged = plain_yaml.merged(hparams_file, own)
        values = plain_yaml.plain_values(resolve_references(text, merged))
    except ValueError as error:  # of HyperPyYAML: a placeholder, a reference
        raise InputError(
            f"{hparams_file}: {error.args[0]} Give it as --key value, or mend "
            "the yaml."
        ) from None
    OPTIONS.check(values, remedy)


def _check_theirs(theirs):
    actions = speechbrain_actions()
    values = {}
    for key, word in theirs.items():
        number = isinstance(actions[key].default, (int, float))
        values[key] = plain_yaml.read_word(key, word) if number else word
    RUN_OPTIONS.check(values, "Give another --{key}.")


# ------------------------------------------------- SpeechBrain's own options


def speechbrain_options() -> Any:
    """SpeechBrain's module of run options.

    By its file where SpeechBrain is not loaded yet: the package loads torch,
    which takes seconds that a mistyped option need not wait for.
    """
    if "speechbrain" in sys.modules:
        return importlib.import_module("speechbrain.utils.run_opts")
    package = importlib.util.find_spec("speechbrain")
    assert package is not None and package.origin is not None
    path = pathlib.Path(package.origin).parent / "utils" / "run_opts.py"
    return types.SimpleNamespace(**runpy.run_path(str(path)))


@functools.cache
def speechbrain_parser() -> Any:
    """SpeechBrain's parser, with its options in a fixed order.

    An option that begins another is not that one, and what is wrong is raised
    as ``InputError``.
    """
    module = speechbrain_options()
    parser = module.RunOptions._create_parser()
    parser.allow_abbrev = False
    parser.error = _raise
    for action in parser._actions:
        if action.dest == "optimizer_step_limit":
            action.type = int  # which SpeechBrain leaves as text
    order = [*module.RunOptions.__dataclass_fields__]
    parser._actions.sort(
        key=lambda a: order.index(a.dest) if a.dest in order else -1
    )
    return parser


def _raise(message):
    raise InputError(f"{message}.")


def speechbrain_actions() -> dict[str, Any]:
    """SpeechBrain's own options: name to action of its parser."""
    return {
        action.dest: action
        for action in speechbrain_parser()._actions
        if action.option_strings and action.dest != "help"
    }


def _flags():
    return {name for name, a in speechbrain_actions().items() if a.nargs == 0}


def _is_list(name):
    actions = speechbrain_actions()
    return name in actions and actions[name].nargs == "*"


def _as_words(name, value):
    """An option of SpeechBrain as words of a command line."""
    return (
        [f"--{name}", *value.split()]
        if _is_list(name)
        else [f"--{name}={value}"]
    )


def _names(flags):
    return [flag[2:] for flag in flags if flag not in HELP]
