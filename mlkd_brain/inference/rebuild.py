"""The model that a run's yaml describes, built from data.

A run's hyperparams.yaml may come from anybody, so it is not executed. What may
be built of it are torch modules that are classes of

- ``mlkd_brain.method``, ``speechbrain.nnet`` and ``torch.nn``;
- modules that the user has named with ``trust``, on the command line ``--trust``.

A file never causes any other import, and its ``!apply:`` and ``!name:`` are never
followed; such a run is refused.

Authors
 * The MLKD team 2026
"""

import importlib
import os
import sys
from typing import Any

import torch
from mlkd_brain.errors import InputError
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.run.description import Built

#: Packages whose modules are imported because a yaml names them.
OURS = ("mlkd_brain.method.", "speechbrain.nnet.", "torch.nn.")
_trusted: set[str] = set()


def trust(*modules: str) -> None:
    """Let models of these modules be loaded; imports them, which runs them.

    Arguments
    ---------
    *modules : str
        Names of modules, installed or in the current folder.

    Raises
    ------
    InputError
        If there is no such module.
    """
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise InputError(
                f"--trust {name}: {error}; name a module that is installed or "
                "in the current folder, without .py."
            ) from None
        _trusted.add(name)


def rebuild(built: Any, given: dict[str, Any], source: object) -> Any:
    """Build a run's model from what its yaml says.

    Arguments
    ---------
    built : Built
        Of the model.
    given : dict
        Replaces arguments of these names, where the yaml has them.
    source : object
        The run, for messages.

    Raises
    ------
    InputError
        If it may not be built, see the module, or cannot.

    Returns
    -------
    torch.nn.Module
        With random weights.

    Example
    -------
    >>> layer = Built("!new:torch.nn.Linear", {"in_features": 2, "out_features": 9})
    >>> rebuild(layer, {"out_features": 3}, "a run")
    Linear(in_features=2, out_features=3, bias=True)
    >>> rebuild(Built("!new:subprocess.Popen", {"args": "ls"}), {}, "a run")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: a run: its model is a subprocess.Popen, which is \
not part of this library; a yaml imports nothing by itself. If you trust that \
code, give --trust subprocess (in Python: \
mlkd_brain.inference.rebuild.trust('subprocess')).
    """
    kind = _class_of(built, source)
    arguments = built.arguments or {}
    if not isinstance(arguments, dict):
        raise _refusal(
            source, f"gives {built.class_name} no names of arguments"
        )
    own = {
        name: given[name] if name in given else _value(value, source)
        for name, value in arguments.items()
    }
    try:
        return kind(**own)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{source}: {built.class_name} cannot be built from the run's yaml "
            f"({error}); was its code changed since the training?"
        ) from None


def _value(value, source):
    if isinstance(value, Built):
        return rebuild(value, {}, source)
    if isinstance(value, dict):
        return {name: _value(item, source) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(item, source) for item in value]
    return value


def _class_of(built, source):
    if not isinstance(built, Built) or not built.class_name:
        tag = built.tag if isinstance(built, Built) else built
        raise _refusal(source, f"asks for '{tag}' in its model")
    name = built.class_name
    module, _, attribute = name.rpartition(".")
    if module not in _trusted and not name.startswith(OURS):
        raise InputError(
            f"{source}: its model is a {name}, which is not part of this "
            "library; a yaml imports nothing by itself. If you trust that code, "
            f"give --trust {module} (in Python: "
            f"mlkd_brain.inference.rebuild.trust('{module}'))."
        )
    try:
        kind = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError:
        kind = None
    if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
        raise _refusal(source, f"builds {name}, which is no torch module here")
    if issubclass(kind, SpeechEncoder):  # would load pretrained weights
        raise _refusal(source, "builds a second encoder")
    return kind


def _refusal(source, what):
    return InputError(
        f"{source}: its yaml {what}; such a run is only loaded by the script "
        "that trained it."
    )
