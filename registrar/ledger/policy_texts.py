"""The texts behind policy digests in the record, kept in the journal from a digest's first use.

A digest is the SHA-256 of such a text: targets, and the members of their groups. It names no secrets or their places.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.journal.append import EntryKind, append_deed
from registrar.ledger.tables import journal


@dataclass(frozen=True)
class PolicyUsed:
    """Record: an approval is bound to a policy digest. The first one stores its text."""

    digest: str
    text: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        """Append an entry without event_id, so that the index finds all such entries; its body names the event."""
        if find(connection, self.digest) is None:
            actor = Actor(cause.actor, cause.actor_name)
            append_deed(
                connection,
                actor,
                cause.at,
                EntryKind.POLICY_USED,
                digest=self.digest,
                text=self.text,
                event=cause.event_id,
            )


@dataclass(frozen=True)
class PolicyText:
    """event_id: of the event that used the digest first."""

    digest: str
    text: str
    used_at: datetime
    event_id: str


def find(connection: Connection, digest: str) -> PolicyText | None:
    """Return the text of a digest, or of a unique prefix; None: no match, or several."""
    has_digest = journal.c.body.contains(f'"digest":"{digest}', autoescape=True)
    query = select(journal.c.at, journal.c.body).where(
        journal.c.event_id == "", journal.c.kind == EntryKind.POLICY_USED, has_digest
    )
    by_digest = {text.digest: text for text in (_parse_entry(row.at, row.body) for row in connection.execute(query))}
    return next(iter(by_digest.values())) if len(by_digest) == 1 else None


def _parse_entry(at: datetime, body: str) -> PolicyText:
    fields: dict[str, Any] = json.loads(body)["said"]
    return PolicyText(fields["digest"], fields["text"], at, fields["event"])
