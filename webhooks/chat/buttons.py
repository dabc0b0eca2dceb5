"""Turns a press of Approve or Reject in any chat system into an event. A button expires, and counts once per person.

The caller has verified that this installation made the button (encrypted or signed) for one of the `audiences`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field

from registrar.config.encryption import DecryptionError
from registrar.events.approval_buttons import LIFE, PINNED, PRESSES, Audience
from registrar.events.types import Data
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent, StaleTimestamp
from webhooks.ingress.source_types import Context, Request

NOT_OURS = (
    "this button is not one of this installation's for this channel, or was sent before an upgrade that binds them to "
    "theirs; use the slash command"
)


class Options(BaseModel, extra="forbid"):
    """button_days: how long a button can be pressed, if less than the button itself allows."""

    button_days: Annotated[int, Field(ge=1, le=LIFE.days)] = LIFE.days


@dataclass(frozen=True)
class Press:
    """A press. delivery_id, digest: the same for each press of one person, so that it counts once."""

    data: Data
    delivery_id: str
    digest: str


def audiences(place: object, context: Context) -> Iterator[str]:
    """Return the audiences of buttons that this source may press. place: the chat system's channel id."""
    policy, kind, source = context.policy, context.config.kind, context.name
    for name in policy.channels:
        if policy.presses(name) == source:
            audience = Audience(kind, source, name)
            yield from {audience.at(place if isinstance(place, str) else None), audience.at(None)}


def opened(sealed: str, *, place: object, context: Context) -> Mapping[str, Any]:
    """Decrypt a button's value. Raises DecryptionError for one that is not for this source and place."""
    for audience in audiences(place, context):
        with suppress(DecryptionError):
            return context.encryptor.decrypt(sealed, audience=audience)
    raise DecryptionError(NOT_OURS)


def pressed(said: Mapping[str, Any], *, by: str, request: Request, context: Context) -> Press:
    """Make the press. said: the button's value; by: the account that pressed. Raises InvalidEvent, StaleTimestamp."""
    if missing := [name for name in ("press", "nonce", "until", *PINNED) if said.get(name) is None]:
        raise InvalidEvent(f"this button says nothing about {', '.join(missing)}; use the slash command")
    type_, nonce, until = said["press"], said["nonce"], said["until"]
    if type_ not in PRESSES or not isinstance(nonce, str) or type(until) is not int:
        raise InvalidEvent("what is sealed is not a button's")
    _in_time(until, request.received_at, days=cast("Options", context.options).button_days)
    data = validation.data(type_, {name: said[name] for name in PINNED})
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return Press(data, f"{nonce}:{by}", digest)


def _in_time(until: int, now: datetime, *, days: int) -> None:
    last = datetime.fromtimestamp(until, UTC) - (LIFE - timedelta(days=days))
    if now > last:
        raise StaleTimestamp(f"this button counted until {last:%Y-%m-%d %H:%M} UTC; use the slash command")
