"""Submits commands of the pages and the API as events, authenticated by a principal instead of a signature."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registrar.events.event import Event
from registrar.events.types import VOCABULARY, Data, ModelRollback
from registrar.ledger.deliveries import Receipt
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.inbox import Inbox, Submission
from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.policy.approvals import Approval
from registrar.policy.document import WEB
from webhooks.auth.identity import Principal
from webhooks.ingress import validation
from webhooks.ingress.endpoint import COMMIT_SECONDS
from webhooks.ingress.errors import InvalidEvent, NotPermitted
from webhooks.ingress.rate_limit import Limits

# Commands per principal.
PACE = "120/minute"
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
# The worker decides by groups whether a vote counts, as for votes from chat.
_APPROVERS = frozenset({"promotion.approve", "promotion.reject", "promotion.cancel"})
_VIEWERS = frozenset({"registry.query"})  # changes nothing
_OPERATORS = frozenset(
    {
        "promotion.request",
        "model.rollback",
        "model.archive",
        "model.prune",
        "quarantine.lift",
        "model_version.register",
        "model_version.transition",
        "model_version.archive",
        "model_version.describe",
        "experiment.create",
        "artifacts.fetch",
        "registry.reconcile",
        "registry.settle",
        "task.retry",
        "task.drop",
        "event.replay",
    }
)
COMMANDS = _APPROVERS | _OPERATORS | _VIEWERS


@dataclass(frozen=True)
class Accepted:
    """A committed command. status_urls: one per event, absolute if REGISTRAR_PUBLIC_URL is set.

    seen_before: the same command came before with this key; ids and URLs are those of the first one.
    """

    event_ids: tuple[str, ...]
    status_urls: tuple[str, ...]
    seen_before: bool


@dataclass(frozen=True)
class CommandSubmission:
    """Checks and submits commands; one per app."""

    policy: Policy
    inbox: Inbox
    rate: Limits
    public_url: str | None

    def submit(self, principal: Principal, type: str, data: Mapping[str, Any], *, key: str | None = None) -> Accepted:
        """Submit, and return after the commit. key: this principal's Idempotency-Key; None: each call is a new command.

        Raises InvalidEvent, NotPermitted, TooMany, NoCapacity, DiskFull, DeliveryConflict, LedgerUnavailable,
        TimeoutError.
        """
        if type in VOCABULARY and type not in COMMANDS:
            raise InvalidEvent(
                f"{type} is no command, but a source's event; the commands are {', '.join(sorted(COMMANDS))}"
            )
        content = validation.data(type, data)
        self._permit(principal, content)
        self.rate.count(PACE, "command", principal.actor.id)
        event = Event(content, principal.actor, now())
        delivery = _delivery(principal, content, key)
        submission = Submission(delivery, [event], event.occurred_at, entrance="command")
        return self._answer(self.inbox.submit(submission).result(COMMIT_SECONDS))

    def needs(self, data: Data) -> Role:
        """Return the role that a command needs. Approvers of a target may also roll it back, as from chat."""
        if data.type in _VIEWERS:
            return "viewer"
        if data.type in _APPROVERS:
            return "approver"
        if isinstance(data, ModelRollback):
            target = self.policy.model(data.model).target(data.target)
            return "approver" if target and isinstance(target.approval, Approval) else "operator"
        return "operator"

    def _permit(self, principal: Principal, data: Data) -> None:
        needed = self.needs(data)
        if not principal.may(needed):
            raise NotPermitted(
                f"{principal.actor.name} is signed in as {principal.role}, and {data.type} needs {needed}: "
                "change `access` in registrar.yml, or use another token"
            )

    def _answer(self, receipt: Receipt) -> Accepted:
        base = (self.public_url or "").rstrip("/")
        ids = tuple(event_id for event_id, _ in receipt.events)
        return Accepted(ids, tuple(f"{base}/v1/events/{event_id}" for event_id in ids), receipt.repeated)


def _delivery(principal: Principal, data: Data, key: str | None) -> Delivery:
    """Return the delivery. Its id records how the principal was authenticated."""
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidEvent("Idempotency-Key must be 1 to 100 visible ASCII characters, such as a UUID")
    by = f"token:{principal.via}" if principal.by == "token" else principal.by
    content = json.dumps([data.type, data.model_dump(mode="json")], sort_keys=True).encode()
    id_ = f"{by}/{principal.actor.id}/{key or uuid.uuid4().hex}"
    return Delivery(WEB, id_, hashlib.sha256(content).hexdigest())
