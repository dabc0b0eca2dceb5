"""`options` in registrar.yml: what only one kind of source or channel knows; its file offers a class for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from registrar.policy.errors import Complaint
from registrar.policy.validation_messages import complaints


class NoOptions(BaseModel):
    """Of a kind that offers no Options: every key is one too many."""

    model_config = ConfigDict(extra="forbid")


class BadOptions(ValueError):
    """The message names each wrong key and says why. complaints: the same, each with its place below options."""

    def __init__(self, wrong: Iterable[Complaint]) -> None:
        self.complaints = list(dict.fromkeys(wrong))
        super().__init__(
            "; ".join(": ".join(filter(None, [".".join(map(str, at)), why])) for at, why in self.complaints)
        )


def offered(kind: object) -> type[BaseModel]:
    """The options that a plug-in's module takes."""
    own: type[BaseModel] = getattr(kind, "Options", NoOptions)
    return own


def read(kind: object, given: Mapping[str, Any]) -> BaseModel:
    """The options of a plug-in's module as its own Options. Raises BadOptions."""
    own = offered(kind)
    try:
        return own.model_validate(given)
    except ValidationError as error:
        raise BadOptions(complaints(own, error, given, examples={})) from None
