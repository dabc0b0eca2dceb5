"""`options` in registrar.yml: what only one kind of source or channel knows; its file offers a class for them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class NoOptions(BaseModel):
    """Of a kind that offers no Options: every key is one too many."""

    model_config = ConfigDict(extra="forbid")


class BadOptions(ValueError):
    """The message names each wrong key and says why, and never shows what was given."""


def read(kind: object, given: Mapping[str, Any]) -> BaseModel:
    """The options of a plug-in's module as its own Options. Raises BadOptions."""
    offered: type[BaseModel] = getattr(kind, "Options", NoOptions)
    try:
        return offered.model_validate(given)
    except ValidationError as error:
        raise BadOptions("; ".join(_complaint(detail) for detail in error.errors(include_input=False))) from None


def _complaint(detail: Any) -> str:
    message = "unknown key" if detail["type"] == "extra_forbidden" else detail["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, [".".join(map(str, detail["loc"])), message]))
