"""Submits commands of the pages and the API as events, authenticated by a principal instead of a signature."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registrar.events.event import Event
from registrar.events.types import VOCABULARY, Data
from registrar.ledger.deliveries import Receipt
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.inbox import Inbox, Submission
from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.policy.document import WEB
from registrar.policy.permissions import QUESTIONS, VOTES, required_role
from webhooks.auth.identity import Principal
from webhooks.ingress import validation
from webhooks.ingress.endpoint import COMMIT_SECONDS
from webhooks.ingress.errors import InvalidEvent, NotPermitted
from webhooks.ingress.omitted import VersionFinder
from webhooks.ingress.rate_limit import Limits

# Commands per principal.
PACE = "120/minute"
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_OPERATORS = frozenset(
    {
        "promotion.request",
        "model.rollback",
        "model.archive",
        "model.prune",
        "model.adopt",
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
COMMANDS = VOTES | QUESTIONS | _OPERATORS


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
    versions: VersionFinder

    def submit(
        self,
        principal: Principal,
        type: str,
        data: Mapping[str, Any],
        *,
        key: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> Accepted:
        """Submit, and return after the commit. key: this principal's Idempotency-Key; None: each call is a new command.

        check: raises where what the person was shown has changed; not called for a repetition, which is answered as
        the first time. A version that is left out is found in the record.

        Raises InvalidEvent, NotPermitted, TooMany, NoCapacity, DiskFull, DeliveryConflict, LedgerUnavailable,
        TimeoutError.
        """
        if type in VOCABULARY and type not in COMMANDS:
            raise InvalidEvent(
                f"{type} is no command, but a source's event; the commands are {', '.join(sorted(COMMANDS))}"
            )
        content = validation.command(type, data)
        self._permit(principal, content)
        self.rate.count(PACE, "command", principal.actor.id)
        delivery = _delivery(principal, content, key)
        if check and (key is None or not self.versions.is_known(delivery)):
            check()
        event = self.versions.completed(delivery, Event(content, principal.actor, now()))
        submission = Submission(delivery, [event], event.occurred_at, entrance="command")
        return self._answer(self.inbox.submit(submission).result(COMMIT_SECONDS))

    def needs(self, data: Data) -> Role:
        """Return the role that a command needs."""
        target = getattr(data, "target", None)
        return required_role(self.policy, data.type, model=data.registered_model, target=target)

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
    """Return the delivery. Its id records how the principal was authenticated.

    data: as it was sent. So a repetition that names no version is the same, whichever it would mean now.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidEvent("Idempotency-Key must be 1 to 100 visible ASCII characters, such as a UUID")
    by = f"token:{principal.via}" if principal.by == "token" else principal.by
    content = json.dumps([data.type, data.model_dump(mode="json")], sort_keys=True).encode()
    id_ = f"{by}/{principal.actor.id}/{key or uuid.uuid4().hex}"
    return Delivery(WEB, id_, hashlib.sha256(content).hexdigest())
