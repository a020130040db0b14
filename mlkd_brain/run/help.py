"""What ``--help`` of a recipe's script prints: the keys of its yaml, explained.

Groups, defaults and explanations are those of the yaml; what is allowed is in
``options.py``.

Authors
 * The MLKD team 2026
"""

import pathlib
import re
import shutil
import textwrap
from typing import Any, NamedTuple

import yaml
from mlkd_brain.errors import InputError
from mlkd_brain.names import CORPUS
from mlkd_brain.run import plain_yaml
from mlkd_brain.run.options import OPTIONS, RUN_OPTIONS

RULER = re.compile(r"^#[ #]+([A-Z].*?) #+$")  # a group of keys
INDENT = 26  # columns before an explanation


class Key(NamedTuple):
    """A key of a yaml and what stands beside it."""

    group: str
    name: str
    default: str  #: as it is written
    comment: str


def help_page(script: str, about: str, files: list[str], parser: Any) -> str:
    """The page of a script and its yaml.

    Arguments
    ---------
    script : str
        Its name.
    about : str
        Its docstring.
    files : list of str
        The yaml that was given; without one, the docstring's.
    parser : argparse.ArgumentParser
        Of SpeechBrain's own options.

    Raises
    ------
    InputError
        If there is no such yaml.
    """
    example = re.search(rf"{re.escape(script)} (hparams/\S+\.yaml)", about)
    file = files[0] if files else example and example[1]
    if file is None or not pathlib.Path(file).is_file():
        raise InputError(
            f"--help lists the keys of a yaml, and {file} is no file: run from "
            f"the recipe's folder, or give one: python {script} YAML --help"
        )
    lines = [f"usage: python {script} {file} [--KEY VALUE ...]", ""]
    lines += [_summary(about), f"Keys of {file}, with their defaults:"]
    group = None
    for key in read_keys(file):
        if key.group != group:
            group = key.group
            lines += ["", group]
        lines += _entry(key)
    lines += ["", "SpeechBrain's own options"]
    lines += _speechbrain(parser, plain_yaml.top_level_keys(_text(file)))
    return "\n".join(lines)


def read_keys(file: str | pathlib.Path) -> list[Key]:
    """Keys of a yaml that can be given on a command line, in its order.

    What the yaml builds is left out, unless ``options.py`` names it. A key of
    ``corpus.yaml`` beside it has the default and the comment from there.

    Arguments
    ---------
    file : str or pathlib.Path
        The yaml.
    """
    corpus = pathlib.Path(file).with_name(CORPUS)
    particular = {}
    if corpus.is_file():
        particular = {key.name: key for key in _keys(_text(corpus))}
    keys = []
    for key in _keys(_text(file)):
        own = particular.get(key.name, key)
        comment = own.comment or key.comment
        keys.append(own._replace(group=key.group, comment=comment))
    return keys


def _text(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


def _keys(text):
    lines = text.splitlines()
    groups = {
        number: match[1]
        for number, line in enumerate(lines)
        if (match := RULER.match(line))
    }
    for name, value in plain_yaml.compose(text):
        if not _can_be_given(name.value, value):
            continue
        line = name.start_mark.line
        before = [groups[number] for number in groups if number < line]
        yield Key(
            before[-1] if before else "Run",
            name.value,
            _default(value, text),
            _comment(lines, line, value),
        )


def _can_be_given(name, value):
    if name.startswith("__"):
        return False
    built = value.tag.startswith(("!new:", "!name:", "!apply:"))
    built = built or isinstance(value, yaml.MappingNode)
    return name in OPTIONS.properties or not built


def _default(value, text):
    """A default as it is written in the yaml, in one line."""
    if value.tag == "!apply:os.getenv":
        variable, fallback = (part.value for part in value.value)
        return f"${variable} or {fallback}"
    if value.tag.startswith(("!new:", "!apply:")):
        return "built by the yaml"
    if value.tag == "!PLACEHOLDER":
        return "to be given"
    if isinstance(value, yaml.MappingNode):
        pairs = ((k.value, _default(v, text)) for k, v in value.value)
        return "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    written = text[value.start_mark.index : value.end_mark.index]
    return " ".join(written.removeprefix("!ref").split())


def _comment(lines, line, value):
    """The comment behind a key, or in the lines right above it."""
    behind = re.search(r"\s# (.*)$", lines[line])
    above = []
    while (
        line
        and lines[line - 1].startswith("# ")
        and not RULER.match(lines[line - 1])
    ):
        line -= 1
        above.insert(0, lines[line][2:])
    # a comment above may say more than the one key below it
    return " ".join([*above, *([behind[1]] if behind else [])])


def _entry(key):
    allowed = OPTIONS.allowed(key.name)
    return _wrapped(f"--{key.name}", key.comment, allowed, key.default)


def _wrapped(option, comment, allowed, default):
    """E.g. ``--alpha  of the logit level (a number from 0 to 1, default 0.7)``."""
    default = f"default {default}" if default else ""
    kind = ", ".join(part for part in (allowed, default) if part)
    text = f"{comment} ({kind})" if comment and kind else comment or kind
    width = max(60, min(100, shutil.get_terminal_size().columns))
    found = textwrap.wrap(text, width - INDENT)
    margin = " " * INDENT
    head = f"  {option}"
    if len(head) >= INDENT:
        return [head, *(margin + line for line in found)]
    rest = [margin + line for line in found[1:]]
    return [f"{head:{INDENT}}{found[0] if found else ''}", *rest]


def _speechbrain(parser, keys):
    for action in parser._actions:
        if not action.option_strings or action.dest in {"help", *keys}:
            continue
        comment = " ".join((action.help or "").split()).rstrip(".")
        allowed = "" if action.nargs == 0 else RUN_OPTIONS.allowed(action.dest)
        known = action.default is not None and action.default is not False
        default = str(action.default) if known else ""
        yield from _wrapped(f"--{action.dest}", comment, allowed, default)


def _summary(about):
    """The script's docstring, without its authors."""
    return about.partition("\nAuthors")[0].strip() + "\n"
