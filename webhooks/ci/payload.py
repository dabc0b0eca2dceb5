"""Reads a CI system's payload without trusting its shape: a missing part and one of a wrong type are the same."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import StrictInt, StrictStr

from registrar.events.types import LINK
from webhooks.ingress.errors import InvalidEvent, Rejected
from webhooks.ingress.source_types import Answer, Parsed

Place = StrictInt | StrictStr  # a repository or project: by its number, or by its path
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Ignored(Exception):
    """The event is ignored on purpose; the sender gets a 200 with the reason."""

    @property
    def parsed(self) -> Parsed:
        return Parsed(answer=Answer(200, {"events": [], "ignored": str(self)}))


def refused(rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the body of a 200 for an unusable report: its sender can't mend it, and `rejections` has it.

    None: it is not permitted or can't be taken at the moment, and stays a failure.
    """
    return {"events": [], "refused": rejected.detail} if isinstance(rejected, InvalidEvent) else None


def at(payload: Any, *path: str) -> Any:
    """Return the value at a path of keys; None if absent."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def text(payload: Any, *path: str) -> str:
    found = at(payload, *path)
    return found if isinstance(found, str) else ""


def first_line(said: str) -> str:
    """Return the first line of a text, without blanks around it."""
    return next(iter(said.strip().splitlines()), "").strip()


def number(payload: Any, *path: str) -> int | None:
    """Return an integer that fits the database; else None."""
    found = at(payload, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**63 else None


def link(*candidates: str) -> str | None:
    """Return the first value that is safe to show as a link."""
    return next((url for url in map(str.strip, candidates) if re.fullmatch(LINK, url)), None)


def commit(payload: Any, *path: str) -> str:
    """Return a full SHA in lower case; nothing else may get into a search of runs. Raises InvalidEvent."""
    found = text(payload, *path)
    if not COMMIT.fullmatch(found):
        raise InvalidEvent(f"{'.'.join(path)} is not a commit's SHA")
    return found


def moment(said: str, *, otherwise: datetime) -> datetime:
    """Parse a time as CI systems write it; return `otherwise` if it is absent or malformed.

    GitHub: 2026-11-22T12:00:00Z. GitLab: 2016-08-12 15:23:28 UTC, and 2021-04-28 21:50:00 +0200
    (https://docs.gitlab.com/user/project/integrations/webhook_events/). Go writes the year 1 for no time at all.
    """
    try:
        found = datetime.fromisoformat(re.sub(r" (UTC|[+-]\d{4})$", _offset, said))
        return found.astimezone(UTC) if found.tzinfo and found.year > 1970 else otherwise
    except (ValueError, OverflowError):
        return otherwise


def _offset(found: re.Match[str]) -> str:
    return "+00:00" if found[1] == "UTC" else found[1]


def is_one_of(places: Sequence[Place], *, id: int | None, path: str) -> bool:
    """Return whether an id or path is one of these places; GitHub's and GitLab's paths ignore case."""
    return any(place == id if isinstance(place, int) else place.lower() == path.lower() for place in places)
