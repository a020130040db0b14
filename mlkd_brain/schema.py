"""What a value may be: one description for help, checks and messages.

A schema is a ``TypedDict`` whose keys have types of pydantic, with ranges and,
by ``unit``, units. Keys that it does not have are not checked.

Authors
 * The MLKD team 2026
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

import pydantic
from mlkd_brain.errors import InputError

#: Of every schema: no text for a number, no 1 for True, no NaN.
STRICT = pydantic.ConfigDict(
    strict=True, extra="allow", allow_inf_nan=False, title=None
)
SHOWN = 60  # characters of a wrong value in a message
KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "True or False",
    "null": "null",
    "object": "a mapping",
}
PLURALS = {
    "integer": "whole numbers",
    "number": "numbers",
    "string": "texts",
    "array": "lists",
}


def unit(name: str) -> Any:
    """The unit of a number, as part of its type: ``Annotated[float, unit("s")]``."""
    return pydantic.Field(json_schema_extra={"unit": name})


def unique(values: list) -> list:
    """A list, refused if something is in it twice; for ``AfterValidator``."""
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ValueError(f"has {twice[0]!r} twice; each may be there once")
    return values


class Schema:
    """Keys with what they may be.

    Arguments
    ---------
    keys : type
        A ``TypedDict`` with ``__pydantic_config__ = STRICT``.

    Example
    -------
    >>> from typing import Annotated
    >>> from typing_extensions import TypedDict
    >>> class Keys(TypedDict, total=False):
    ...     __pydantic_config__ = STRICT
    ...     alpha: Annotated[float, pydantic.Field(ge=0, le=1)]
    ...     snrs: list[Annotated[float, unit("dB")]] | None
    >>> schema = Schema(Keys)
    >>> schema.allowed("alpha"), schema.allowed("snrs")
    ('a number from 0 to 1', '[a list of numbers, dB] or null')
    >>> schema.check({"alpha": 1.5, "unknown": 3}, "Change --{key}.")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: alpha is 1.5; expected a number from 0 to 1. \
Change --alpha.
    """

    def __init__(self, keys: type):
        self.adapter: pydantic.TypeAdapter = pydantic.TypeAdapter(keys)

    @functools.cached_property
    def properties(self) -> dict[str, dict]:
        """Key to its JSON schema."""
        whole = self.adapter.json_schema()
        return _resolved(whole["properties"], whole.get("$defs", {}))

    def allowed(self, key: str) -> str:
        """What a key may be, in words; empty for a key that is not here."""
        return in_words(self.properties[key]) if key in self.properties else ""

    def is_text(self, key: str) -> bool:
        """Whether a word of a command line is taken for this key as it is."""
        kinds = _kinds(self.properties.get(key, {}))
        return "string" in kinds and kinds <= {"string", "null"}

    def check(
        self, values: Mapping[str, Any], remedy: str, where: str = ""
    ) -> None:
        """Refuse values that are not what their keys may be.

        Arguments
        ---------
        values : dict
            Key to value.
        remedy : str
            How to mend it; ``{key}`` stands for the key.
        where : str
            What comes before the key, e.g. "a.csv, row 3: ".

        Raises
        ------
        InputError
            Naming each key that is wrong, its value and what is allowed.
        """
        try:
            self.adapter.validate_python(values)
        except pydantic.ValidationError as error:
            wrong = {str(e["loc"][0]): e for e in error.errors() if e["loc"]}
            faults = [self._fault(key, values, e) for key, e in wrong.items()]
            hint = remedy.format(key=next(iter(wrong)))
            raise InputError(f"{where}{'; '.join(faults)}. {hint}") from None

    def _fault(self, key, values, error):
        part = error["loc"][-1]
        if error["type"] == "value_error":  # of a validator, in words
            name = key if part == key else f"{part} of {key}"
            return f"{name} {error['ctx']['error']}"
        if key not in values:
            return f"{key} is missing; expected {self.allowed(key)}"
        return f"{key} is {shown(values[key])}; expected {self.allowed(key)}"


def shown(value: Any) -> str:
    """A value for a message: short, and in one line.

    Example
    -------
    >>> shown("7 seven"), shown([1, None]), len(shown("x" * 131000))
    ("'7 seven'", '[1, null]', 60)
    """
    if isinstance(value, str):
        text = repr(value)
    else:
        text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 4] + " ..."


def in_words(schema: dict) -> str:
    """A JSON schema as part of a sentence.

    Example
    -------
    >>> in_words({"type": "integer", "minimum": 1, "unit": "samples"})
    'a whole number of at least 1, samples'
    >>> in_words({"enum": ["mean", "sum"]})
    'one of mean, sum'
    """
    if "anyOf" in schema:
        return " or ".join(
            f"[{words}]" if ", " in words else words
            for words in map(in_words, schema["anyOf"])
        )
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    if "words" in schema:
        return schema["words"]
    if schema.get("type") == "array":
        items = schema["items"]
        plural = PLURALS.get(items.get("type"), "values")
        what = f"a list of {plural}{_range(items)}"
        if "enum" in items:
            what = f"a list of {', '.join(map(str, items['enum']))}"
        return what + _unit(items)
    if schema.get("type") == "object" and "properties" in schema:
        parts = ", ".join(
            f"{key}: {in_words(value)}"
            for key, value in schema["properties"].items()
        )
        return f"{{{parts}}}"
    return KINDS.get(schema.get("type", ""), "a value") + (
        _range(schema) + _unit(schema)
    )


def _range(schema):
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = (
        schema.get("exclusiveMinimum"),
        schema.get("exclusiveMaximum"),
    )
    if low is not None and high is not None:
        return f" from {low} to {high}"
    bounds = {
        "of at least": low,
        "above": above,
        "below": below,
        "of at most": high,
    }
    given = [f"{w} {bound}" for w, bound in bounds.items() if bound is not None]
    return " " + " and ".join(given) if given else ""


def _unit(schema):
    return f", {schema['unit']}" if "unit" in schema else ""


def _kinds(schema):
    parts = schema.get("anyOf", [schema])
    return {
        part.get("type", "string" if "enum" in part else "any")
        for part in parts
    }


def _resolved(node, definitions):
    """A JSON schema with its references replaced."""
    if isinstance(node, list):
        return [_resolved(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[node["$ref"].rpartition("/")[2]]
        return _resolved(
            {**found, **{k: node[k] for k in node if k != "$ref"}}, definitions
        )
    return {key: _resolved(value, definitions) for key, value in node.items()}
