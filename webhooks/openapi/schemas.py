"""Schemas of the API's answers: published in /openapi.json, and checked by webhooks/api/responses.py.

This module has what all share, receipts, health and problems; the others are in event_schemas.py, promotion_schemas.py
and model_schemas.py.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from webhooks.ingress.errors import Rejected

Next = Annotated[str | None, Field(description="the cursor of the page after this one; null: it was the last")]


class Shape(BaseModel):
    """A response with all of these fields, and no others."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True, defer_build=True)


class AcceptedEvent(Shape):
    """An accepted event; status_url shows its progress."""

    id: str
    type: str
    status_url: str


class Receipt(BaseModel):
    """The events are on disk. Answers to chat systems have other fields, which they show to people."""

    model_config = ConfigDict(extra="allow")

    events: list[AcceptedEvent] = []


class ManifestFile(Shape):
    """A fetched file."""

    bytes: int
    sha256: str


class Manifest(Shape):
    """What was fetched of a run or a version. version: which it was, by its registry, time and run."""

    origin: str
    version: dict[str, Any] | None = None
    files: dict[str, ManifestFile]


class Alive(Shape):
    """The process answers."""

    status: Literal["alive"]


class Check(Shape):
    """The check of one part. fail: the receiver is not ready."""

    status: Literal["pass", "warn", "fail"]
    detail: str


class Ready(Shape):
    """The receiver can accept events. Only an excluded part may fail here."""

    status: Literal["ready"]
    checks: dict[str, Check]


class Consent(Shape):
    """The answer to CloudEvents' handshake; the headers say the same."""

    allowed: str
    rate: Annotated[int, Field(description="requests per minute")]


class FieldError(Shape):
    """One wrong or missing field."""

    field: str
    message: str


class Problem(BaseModel):
    """https://www.rfc-editor.org/rfc/rfc9457"""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="what is wrong, and what would be right")]
    code: Annotated[str, Field(description="for machines; the page lists them")]
    errors: Annotated[list[FieldError], Field(description="where single fields are wrong")] = []
    checks: Annotated[dict[str, Check], Field(description="of /readyz: the state of each part")] = {}


def refusals() -> list[type[Rejected]]:
    """Return the classes of refusals that have a code of their own, by status."""
    classes = [kind for kind in _descendants(Rejected) if "code" in vars(kind)]
    return sorted(classes, key=lambda kind: (kind.status, kind.code))


def _descendants(kind: type[Rejected]) -> list[type[Rejected]]:
    return [found for child in kind.__subclasses__() for found in (child, *_descendants(child))]
