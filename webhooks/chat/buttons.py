"""Turns a press of Approve or Reject in any chat system into an event. A button expires, and counts once per person.

The caller verifies that this installation made the button (encrypted or signed) for one of its `audiences`.
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
from registrar.events.approval_buttons import EVENT_TYPES, LIFE, PINNED, Audience
from registrar.events.types import Data
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent, StaleTimestamp
from webhooks.ingress.source_types import Context, Request

NOT_OURS = (
    "this button is not one of this installation's for this channel, or is from before an upgrade that binds buttons "
    "to channels; use the slash command"
)


class Options(BaseModel, extra="forbid"):
    """button_days: how many days a button can be pressed, if fewer than the button itself allows."""

    button_days: Annotated[int, Field(ge=1, le=LIFE.days)] = LIFE.days


@dataclass(frozen=True)
class Press:
    """A press. delivery_id, digest: the same for each press by one person, so that it counts once."""

    data: Data
    delivery_id: str
    digest: str


def audiences(channel: object, context: Context) -> Iterator[str]:
    """Yield the audiences whose buttons this source may press. channel: the chat system's channel id."""
    policy, kind, source = context.policy, context.config.kind, context.name
    for name in policy.channels:
        if policy.presses(name) == source:
            audience = Audience(kind, source, name)
            yield from {audience.at(channel if isinstance(channel, str) else None), audience.at(None)}


def decrypt(value: str, *, channel: object, context: Context) -> Mapping[str, Any]:
    """Decrypt a button's value. Raises DecryptionError for one that is not for this source and channel."""
    for audience in audiences(channel, context):
        with suppress(DecryptionError):
            return context.encryptor.decrypt(value, audience=audience)
    raise DecryptionError(NOT_OURS)


def press_of(content: Mapping[str, Any], *, by: str, request: Request, context: Context) -> Press:
    """Make a press from a button's decrypted value. by: the account of the press.

    Raises InvalidEvent, StaleTimestamp.
    """
    if missing := [name for name in ("press", "nonce", "until", *PINNED) if content.get(name) is None]:
        raise InvalidEvent(f"this button has no {', '.join(missing)}; use the slash command")
    type_, nonce, until = content["press"], content["nonce"], content["until"]
    if type_ not in EVENT_TYPES or not isinstance(nonce, str) or type(until) is not int:
        raise InvalidEvent("the encrypted text is not a button's; use the slash command")
    _check_expiry(until, request.received_at, days=cast("Options", context.options).button_days)
    data = validation.data(type_, {name: content[name] for name in PINNED})
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Press(data, f"{nonce}:{by}", digest)


def _check_expiry(until: int, now: datetime, *, days: int) -> None:
    last = datetime.fromtimestamp(until, UTC) - (LIFE - timedelta(days=days))
    if now > last:
        raise StaleTimestamp(f"this button expired at {last:%Y-%m-%d %H:%M} UTC; use the slash command")
