"""Rules for sending events again. Pure functions, so that the worker and a plan agree."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from registrar.events.types import Data, EventReplay, TaskDrop, TaskRetry, UnknownType, parse
from registrar.policy import Policy
from registrar.policy.document import WEB

_NEVER_RESENT = frozenset({EventReplay.type, TaskRetry.type, TaskDrop.type})


class ResendRefused(ValueError):
    """The event can't be sent again; the message says why, and what to do."""


def data_to_resend(policy: Policy, source: str, type_: str, data: Mapping[str, Any]) -> Data:
    """Return the data of the new event, if the source could send it now itself. Raises ResendRefused."""
    if type_ in _NEVER_RESENT:
        raise ResendRefused(f"{type_} is not replayed: send it again")
    try:
        parsed = parse(type_, dict(data))
    except (UnknownType, ValidationError):
        raise ResendRefused(f"its data is not valid any more for {type_} of this version; send it anew") from None
    if source == WEB:  # operators, who may resend, may send anything (access in registrar.yml)
        return parsed
    sender = policy.sources.get(source)
    if sender is None:
        raise ResendRefused(f"registrar.yml has no source {source!r} any more")
    if not sender.grants(type_, parsed.registered_model):
        raise ResendRefused(sender.refusal(source, type_, parsed.registered_model))
    return parsed
