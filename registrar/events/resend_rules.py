"""Whether an event may be sent again, and as what: pure, so that the worker and a plan come to the same."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from registrar.events.types import Data, EventReplay, TaskDrop, TaskRetry, UnknownType, parse
from registrar.policy import Policy
from registrar.policy.document import WEB

_OF_OTHERS = frozenset({EventReplay.type, TaskRetry.type, TaskDrop.type})


class ResendRefused(ValueError):
    """It can't be sent again; the message says why, and what would be right."""


def data_to_resend(policy: Policy, source: str, type_: str, data: Mapping[str, Any]) -> Data:
    """The data of the new event: what the source could send now itself. Raises ResendRefused."""
    if type_ in _OF_OTHERS:
        raise ResendRefused(f"{type_} is not replayed: send it again")
    try:
        found = parse(type_, dict(data))
    except (UnknownType, ValidationError):
        raise ResendRefused(f"its data is not valid any more for {type_} of this version; send it anew") from None
    if source == WEB:  # whoever may replay there may ask for all else (access in registrar.yml)
        return found
    sender = policy.sources.get(source)
    if sender is None:
        raise ResendRefused(f"registrar.yml has no source {source!r} any more")
    if not sender.grants(type_, found.registered_model):
        raise ResendRefused(sender.refusal(source, type_, found.registered_model))
    return found
