"""Reads a CI system's payload without trusting its shape: a part of a wrong type counts as missing."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import StrictInt, StrictStr

from registrar.events.types import LINK
from webhooks.ingress.errors import InvalidEvent, Rejected
from webhooks.ingress.source_types import Answer, Parsed

Repository = StrictInt | StrictStr  # or GitLab's project: its number, or its path
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Ignored(Exception):
    """The event is not for us; the sender gets a 200 with the reason."""

    @property
    def parsed(self) -> Parsed:
        return Parsed(answer=Answer(200, {"events": [], "ignored": str(self)}))


def refusal(rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the body of a 200 for an unusable report: its sender can't mend it, and it is in `rejections`.

    None: the report is not permitted, or can't be accepted at the moment, and stays a 4xx or 5xx.
    """
    return {"events": [], "refused": rejected.detail} if isinstance(rejected, InvalidEvent) else None


def at(payload: Any, *path: str) -> Any:
    """Return the value at a path of keys; None if absent."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def text(payload: Any, *path: str) -> str:
    """Return the text at a path of keys; "" if it is none."""
    value = at(payload, *path)
    return value if isinstance(value, str) else ""


def first_line(text: str) -> str:
    """Return the first line of a text, without blanks around it."""
    return next(iter(text.strip().splitlines()), "").strip()


def number(payload: Any, *path: str) -> int | None:
    """Return the integer at a path of keys, if it fits the database; else None."""
    value = at(payload, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def link(*candidates: str) -> str | None:
    """Return the first URL that is safe to show as a link."""
    return next((url for url in map(str.strip, candidates) if re.fullmatch(LINK, url)), None)


def commit(payload: Any, *path: str) -> str:
    """Return a full SHA in lower case, the only form that a search of runs may contain. Raises InvalidEvent."""
    sha = text(payload, *path)
    if not COMMIT.fullmatch(sha):
        raise InvalidEvent(f"{'.'.join(path)} is not a commit's SHA")
    return sha


def moment(text: str, *, otherwise: datetime) -> datetime:
    """Parse a time in the forms of CI systems; return `otherwise` if it is absent or malformed.

    GitHub: 2026-11-22T12:00:00Z. GitLab: 2016-08-12 15:23:28 UTC, and 2021-04-28 21:50:00 +0200
    (https://docs.gitlab.com/user/project/integrations/webhook_events/). Go writes the year 1 for a missing time.
    """
    try:
        at = datetime.fromisoformat(re.sub(r" (UTC|[+-]\d{4})$", _offset, text))
        return at.astimezone(UTC) if at.tzinfo and at.year > 1970 else otherwise
    except (ValueError, OverflowError):
        return otherwise


def _offset(match: re.Match[str]) -> str:
    return "+00:00" if match[1] == "UTC" else match[1]


def is_one_of(repositories: Sequence[Repository], *, id: int | None, path: str) -> bool:
    """Return whether an id or path is one of these repositories; the case of paths does not count."""
    return any(each == id if isinstance(each, int) else each.lower() == path.lower() for each in repositories)
