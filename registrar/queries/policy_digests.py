"""What the approvals that name a policy's digest are bound to: by the journal, or by the policy in effect."""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from registrar.ledger.policy_texts import find
from registrar.policy import Policy

_DIGEST = re.compile(r"[0-9a-f]{8,64}")


def is_digest(given: str) -> bool:
    """Whether it is one, or enough of the beginning of one."""
    return bool(_DIGEST.fullmatch(given))


def bound(policy: Policy, connection: Connection, digest: str) -> dict[str, Any] | None:
    """JSON-able but for the datetime. None: nobody asked under it since texts are kept, or it fits several.

    digest: or its beginning. text: what it is the SHA-256 of; document: the same to be read. used_at None: nothing was
    asked for under it yet, and it is in effect.
    """
    if not is_digest(digest):
        return None
    if found := find(connection, digest):
        return _told(found.digest, found.text, found.used_at, found.event_id)
    texts = {policy.bound(model) for model in policy.models if policy.digest(model).startswith(digest)}
    if len(texts) != 1:
        return None
    [text] = texts
    return _told(hashlib.sha256(text.encode()).hexdigest(), text)


def _told(digest: str, text: str, used_at: datetime | None = None, event_id: str | None = None) -> dict[str, Any]:
    rules, groups = json.loads(text)
    document = {**rules, "groups": groups}
    return {"digest": digest, "document": document, "text": text, "used_at": used_at, "event_id": event_id}
