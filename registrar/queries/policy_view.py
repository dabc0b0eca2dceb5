"""The policy as shown to readers: without the places of secrets and channels."""

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


def voting(asked: Voting) -> dict[str, Any]:
    """Return the policy, JSON-able."""
    lists = {name: list(value) for name, value in asdict(asked).items() if isinstance(value, tuple) and name != "rules"}
    rules = [{**asdict(rule), "may": [asdict(voter) for voter in rule.may]} for rule in asked.rules]
    told = {"lacks": asked.lacks, "impossible": asked.impossible, "reject_needs_reason": asked.reject_needs_reason}
    return {**told, "rules": rules, **lists}


def policy(in_effect: Policy) -> dict[str, Any]:
    """digest: SHA-256 of the whole document, including what is not shown."""
    told = in_effect.model_dump(mode="json", by_alias=True, exclude=_ELSEWHERE, exclude_unset=True)
    return {"digest": digest(in_effect), "document": told}


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


def is_digest(given: str) -> bool:
    """Return whether a text is a digest, or a long enough prefix of one."""
    return bool(_DIGEST.fullmatch(given))


def bound(policy: Policy, connection: Connection, digest: str) -> dict[str, Any] | None:
    """JSON-able but for the datetime. None: nobody asked under it since texts are kept, or it fits several.

    digest: or its beginning. text: what it is the SHA-256 of; document: the same to be read. used_at None: nothing was
    asked for under it yet, and it is in effect.
    """
    if not is_digest(digest):
        return None
    if found := find(connection, digest):
        return _to_json(found.digest, found.text, found.used_at, found.event_id)
    texts = {policy.bound(model) for model in policy.models if policy.digest(model).startswith(digest)}
    if len(texts) != 1:
        return None
    [text] = texts
    return _to_json(hashlib.sha256(text.encode()).hexdigest(), text)


def _to_json(digest: str, text: str, used_at: datetime | None = None, event_id: str | None = None) -> dict[str, Any]:
    rules, groups = json.loads(text)
    document = {**rules, "groups": groups}
    return {"digest": digest, "document": document, "text": text, "used_at": used_at, "event_id": event_id}
