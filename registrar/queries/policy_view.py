"""The policy as shown to readers: without references to secrets, and without channels' addresses."""

import hashlib
import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import Any

from registrar.ledger import Connection
from registrar.ledger.policy_texts import find
from registrar.policy import Policy
from registrar.policy.base_model import most_specific
from registrar.queries.voting import Voting

_ELSEWHERE = {
    "sources": {"__all__": {"secrets", "options"}},
    "channels": {"__all__": {"url", "secret", "options"}},
    "access": {"oidc": {"client_secret"}},
}


def voting(open_voting: Voting) -> dict[str, Any]:
    """Return a Voting, JSON-able."""
    people = ("may_reject", "may_break_glass", "excluded")
    return {
        "lacks": open_voting.lacks,
        "impossible": open_voting.impossible,
        "reject_needs_reason": open_voting.reject_needs_reason,
        "rules": [{**asdict(rule), "may": [asdict(voter) for voter in rule.may]} for rule in open_voting.rules],
        **{name: [asdict(person) for person in getattr(open_voting, name)] for name in people},
    }


def policy(in_effect: Policy) -> dict[str, Any]:
    """digest: SHA-256 of the whole document, including what is not shown."""
    document = in_effect.model_dump(mode="json", by_alias=True, exclude=_ELSEWHERE, exclude_unset=True)
    return {"digest": digest(in_effect), "document": document}


def digest(in_effect: Policy) -> str:
    """Return the SHA-256 of the whole document."""
    whole = in_effect.model_dump(mode="json", by_alias=True)
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def model_policy(in_effect: Policy, model: str) -> dict[str, Any]:
    """entry: the entry of `models` that applies to the model. digest: its approvals are bound to it."""
    targets = [target.stage for target in in_effect.model(model).targets]
    entry = most_specific(list(in_effect.models), model)
    return {"model": model, "entry": entry, "digest": in_effect.digest(model), "targets": targets}


_DIGEST = re.compile(r"[0-9a-f]{8,64}")


def is_digest(text: str) -> bool:
    """Return whether a text is a digest, or a long enough prefix of one."""
    return bool(_DIGEST.fullmatch(text))


def bound(policy: Policy, connection: Connection, digest: str) -> dict[str, Any] | None:
    """Return the policy text behind a digest or a prefix of one, JSON-able except datetimes.

    None: no promotion was requested under it since texts are kept, or several digests begin so. text: its SHA-256 is
    the digest; document: the text, parsed. used_at None: it is in effect, and no promotion was requested under it yet.
    """
    if not is_digest(digest):
        return None
    if stored := find(connection, digest):
        return _to_json(stored.digest, stored.text, stored.used_at, stored.event_id)
    texts = {policy.bound(model) for model in policy.models if policy.digest(model).startswith(digest)}
    if len(texts) != 1:
        return None
    [text] = texts
    return _to_json(hashlib.sha256(text.encode()).hexdigest(), text)


def _to_json(digest: str, text: str, used_at: datetime | None = None, event_id: str | None = None) -> dict[str, Any]:
    rules, groups = json.loads(text)
    document = {**rules, "groups": groups}
    return {"digest": digest, "document": document, "text": text, "used_at": used_at, "event_id": event_id}
