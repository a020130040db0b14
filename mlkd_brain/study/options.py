"""What the keys of study.yml may be.

Authors
 * The MLKD team 2026
"""

from typing import Annotated, Any

from mlkd_brain.run.options import Count, Name, Number, Seed, Text
from mlkd_brain.schema import STRICT, Schema, unique
from pydantic import AfterValidator, Field
from typing_extensions import NotRequired, TypedDict


class Definition(TypedDict):
    """How one system of a study is trained."""

    __pydantic_config__ = STRICT  # type: ignore
    script: Text
    yaml: Text
    depends_on: NotRequired[Name]
    overrides: NotRequired[dict[str, Any]]
    searched: NotRequired[bool]


class Search(TypedDict):
    """What ``search_objective.py`` searches."""

    __pydantic_config__ = STRICT  # type: ignore
    system: Name
    grid: dict[str, Any]  # more in refuse_bad_grid
    with_clean: NotRequired[bool]
    grace_epochs: Count
    reduction_factor: Annotated[int, Field(ge=2)]


class Settings(TypedDict):
    """Keys of study.yml."""

    __pydantic_config__ = STRICT  # type: ignore
    results_folder: Text
    systems: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)]
    folds: Annotated[list[Count], Field(min_length=1), AfterValidator(unique)]
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]
    overrides: dict[str, Any]
    cpus_per_run: Count
    gpus_per_run: Annotated[float, Field(ge=0)] | None
    retries: Number
    definitions: dict[str, Definition]
    search: NotRequired[Search]


STUDY = Schema(Settings)
