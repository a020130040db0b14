"""What code a run executes, so that other code is known when it is seen.

Authors
 * The MLKD team 2026
"""

import ast
import pathlib
import re

import yaml

from mlkd_brain.tensor_folder import digest_of

LIBRARY = pathlib.Path(__file__).parent


def code_digest(script, hparams_file):
    """Digest of the code that a run executes, comments and docstrings aside.

    Arguments
    ---------
    script : pathlib.Path
        Trains the run.
    hparams_file : str or pathlib.Path
        Its yaml.

    Returns
    -------
    str
        Changes with the script, the yaml's objects, the evaluation, or
        anything of ours that they import.
    """
    text = pathlib.Path(hparams_file).read_text(encoding="utf-8")
    names = {"mlkd_brain.evaluation", *re.findall(r"mlkd_brain\.\w+", text)}
    first = {script, *_sources(names, script.parent)}
    code = _executed(first, script.parent)
    return digest_of({**code, "yaml": _objects(text)})


def module_digest(*names):
    """Digest of some modules of ours and of what they import of ours.

    Arguments
    ---------
    *names : str
        e.g. "mlkd_brain.noise".

    Returns
    -------
    str
        Comments and docstrings aside.
    """
    return digest_of(_executed(_sources(names, LIBRARY), LIBRARY))


def _executed(waiting, recipe):
    """Name to code of some files and of what they import of ours."""
    known = {}
    while waiting:
        path = waiting.pop()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known[path] = _without_docstrings(tree)
        waiting |= _sources(_imports(tree), recipe) - known.keys()
    return {_name(path): text for path, text in known.items()}


def _sources(names, recipe):
    """Our files among some modules: of the library or of the recipe."""
    paths = set()
    for name in names:
        root = LIBRARY.parent if name.startswith("mlkd_brain.") else recipe
        place = root.joinpath(*name.split("."))
        paths |= {place.with_suffix(".py"), place / "__init__.py"}
    return {path for path in paths if path.is_file()}


def _name(path):
    inside = path.is_relative_to(LIBRARY)
    return str(path.relative_to(LIBRARY)) if inside else path.name


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _objects(text):
    """What a yaml builds; its plain values are told by ``settings``."""
    nodes = yaml.compose(text)
    nodes.value = [pair for pair in nodes.value if is_built(pair[1])]
    return yaml.serialize(nodes)


def is_built(node):
    """Whether a value of a yaml is, or holds, an object or a reference."""
    parts = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        parts = [value for _, value in parts]
    tagged = not node.tag.startswith("tag:yaml.org")
    return tagged or any(map(is_built, parts))
