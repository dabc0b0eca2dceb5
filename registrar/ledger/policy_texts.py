"""The text behind each policy digest that the record names: kept in the journal when it is first used.

It is what the digest is the SHA-256 of: targets and the members of the groups that they name. No secret, nor where
one is, is in it.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.journal.append import append_deed
from registrar.ledger.tables import journal

KIND = "policy.used"


@dataclass(frozen=True)
class PolicyUsed:
    """Record: something is bound to a policy's digest. Written down once for each digest."""

    digest: str
    text: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        """Not as an entry of the event's, which it names: so that all of them are found without reading the journal."""
        if find(connection, self.digest) is None:
            actor = Actor(cause.actor, cause.actor_name)
            append_deed(connection, actor, cause.at, KIND, digest=self.digest, text=self.text, event=cause.event_id)


@dataclass(frozen=True)
class PolicyText:
    """event_id: of the event that the digest was first used for."""

    digest: str
    text: str
    used_at: datetime
    event_id: str


def find(connection: Connection, digest: str) -> PolicyText | None:
    """digest: whole, or so much of its beginning as fits one alone. None: none fits, or several do."""
    named = journal.c.body.contains(f'"digest":"{digest}', autoescape=True)
    query = select(journal.c.at, journal.c.body).where(journal.c.event_id == "", journal.c.kind == KIND, named)
    found = {one.digest: one for one in (_parse_entry(row.at, row.body) for row in connection.execute(query))}
    return next(iter(found.values())) if len(found) == 1 else None


def _parse_entry(at: datetime, body: str) -> PolicyText:
    said: dict[str, Any] = json.loads(body)["said"]
    return PolicyText(said["digest"], said["text"], at, said["event"])
