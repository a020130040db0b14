"""The commands and snippets of the documents, as their readers would copy them.

Authors
 * The MLKD team 2026
"""

import argparse
import contextlib
import importlib
import io
import os
import re
import shlex
from typing import NamedTuple
from unittest import mock

from markdown_it import MarkdownIt
from mlkd_brain.__main__ import COMMANDS
from mlkd_brain.run.command_line import read_command_line
from mlkd_brain.run.plain_yaml import top_level_keys
from mlkd_brain.study import command as study
from places import REPOSITORY

#: Programs that are ours; what else stands beside them is a shell's, or output.
OURS = ("python", "mlkd", "make", "cd")
#: First words of a block in a shell, and of a snippet in Python.
SHELL = (*OURS, *"source export pip cp mkdir for git salloc".split())
PYTHON = ("import ", "from ")
#: What else stands in blocks: pictures, references, yaml, tables; what is typed
#: after a failure.
OTHER = (
    "L = ",
    "definitions:",
    "found = torch.load(",
    "flowchart",
    "@inproceedings",
    "@misc",
    "corpus: ",
    "wav,spk_id,emo",
)
ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")
INLINE = re.compile(r"^(mlkd [a-z]|make [a-z]|python \S+\.py|python -m )")


#: What the documents' readers have set: no folder is looked into.
PLACES = {"IEMOCAP_ROOT": "corpus", "EMODB_ROOT": "corpus"}
PLACES |= {"NOISEX92_ROOT": "noise"}


class Command(NamedTuple):
    """A command or a snippet: where it stands, its recipe, and its text.

    Within a sentence a command need not be complete.
    """

    document: str
    recipe: str
    text: str
    in_sentence: bool = False


def blocks(path):
    """Contents of a document's code blocks, and commands within sentences."""
    for token in MarkdownIt().parse(path.read_text("utf-8")):
        if token.type in ("code_block", "fence"):
            yield token.content, False
        for child in token.children or []:
            if child.type == "code_inline" and INLINE.match(child.content):
                yield child.content, True


def lines(block):
    """Commands of a block, continued lines joined, remarks left out."""
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        yield from filter(None, re.split(r"\s*(?:&&|;)\s*", line))


def is_shell(block):
    words = [
        w for w in next(lines(block), "").split() if not ASSIGNMENT.match(w)
    ]
    return bool(words) and words[0] in SHELL


def collect(paths):
    """Commands and snippets of documents; and blocks that are neither."""
    commands, snippets, unknown = [], [], []
    for path in paths:
        name = str(path.relative_to(REPOSITORY))
        home = name.rpartition("/")[0] if name.startswith("recipes/") else ""
        for block, in_sentence in blocks(path):
            recipe = home or "recipes/IEMOCAP/MLKD"
            if block.startswith(PYTHON):
                snippets.append(Command(name, recipe, block))
            elif is_shell(block):
                for line in lines(block):
                    if words_of(line)[:1] not in [[name] for name in OURS]:
                        continue
                    if line.startswith("cd recipes/"):
                        recipe = line.split()[1]
                    commands.append(Command(name, recipe, line, in_sentence))
            elif not block.startswith(OTHER):
                unknown.append((name, block))
    return commands, snippets, unknown


def words_of(text):
    """A command's words, without assignments before and redirections behind."""
    try:
        words = [word for word in shlex.split(text) if word != "$OPTIONS"]
    except ValueError:  # half a quotation: no command
        return []
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    ends = [words.index(sign) for sign in (">", "&", "|") if sign in words]
    return words[: min(ends, default=None)]


class Parsed(Exception):
    """A command line was accepted; its options, and the words left over."""


def accepted(main, words):
    """Give a command line to a program, which stops once it is parsed."""
    parse = argparse.ArgumentParser.parse_known_args

    def stop(self, *args, **kwargs):
        raise Parsed(parse(self, *args, **kwargs))

    said = io.StringIO()
    patched = mock.patch.object(
        argparse.ArgumentParser, "parse_known_args", stop
    )
    try:
        with patched, contextlib.redirect_stderr(said):
            main(words)
    except Parsed as parsed:
        return parsed.args[0]
    except SystemExit:
        raise AssertionError(f"{words}: {said.getvalue()}") from None
    raise AssertionError(f"{words}: no options were parsed")


def keys_of(recipe, pattern="*"):
    """Keys of a recipe's yaml files that can be given as options."""
    paths = (REPOSITORY / recipe / "hparams").glob(f"{pattern}.yaml")
    return set().union(*(top_level_keys(p.read_text("utf-8")) for p in paths))


def check(command):
    """Assert that script, yaml and options of a command exist."""
    program, *words = words_of(command.text)
    if program == "make":
        text = (REPOSITORY / "Makefile").read_text()
        if words[0] == "-C":  # from a recipe's folder
            del words[:2]
        assert re.search(rf"^{words[0]}:", text, re.MULTILINE), command
    elif program == "mlkd":
        if words and words[0] in COMMANDS and "--help" not in words:
            _check_mlkd(command, *words)
    elif program == "python" and words[0] == "-m":
        _check_module(command, words[1:])
    elif program == "python":
        _check_script(command, *words)
    elif program == "cd":
        _check_folder(command, words[0])


def _check_mlkd(command, name, *words):
    if words:
        module = importlib.import_module(f"mlkd_brain.{COMMANDS[name][0]}")
        try:
            _, rest = accepted(module.main, list(words))
        except AssertionError as error:
            if command.in_sentence and "are required" in str(error):
                return
            raise
        _check_keys(command, rest, keys_of(command.recipe))


def _check_module(command, words):
    name, *rest = words
    if name.startswith("bench."):
        path = REPOSITORY / f"{name.replace('.', '/')}.py"
        assert path.is_file(), command
    for word in rest:
        if "/" in word and name == "pytest":
            assert (REPOSITORY / word).exists(), command


def _check_script(command, script, *words):
    folder = REPOSITORY / command.recipe
    if "/" in script:
        folder = REPOSITORY
    assert (folder / script).is_file(), command
    if not words or not words[0].startswith("hparams/"):
        return
    assert (folder / words[0]).is_file(), command
    if script in ("run_folds.py", "search_objective.py"):
        _, rest = study.parser().parse_known_args(words)
        return _check_keys(command, rest, keys_of(command.recipe))
    with contextlib.chdir(folder), mock.patch.dict(os.environ, PLACES):
        read_command_line(words, script)


def _check_keys(command, words, known):
    names = [w[2:].partition("=")[0] for w in words if w.startswith("--")]
    assert set(names) <= known, (command, set(names) - known)


def _check_folder(command, folder):
    ours = folder.startswith("recipes/") and "MINE" not in folder
    assert not ours or (REPOSITORY / folder).is_dir(), command
