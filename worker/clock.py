"""What the time brings: events of our own for what is due, each accepted once however often the clock ticks.

An event's delivery id says what is due and since when, so ticks of several workers, or after a crash, come to the same.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

from sqlalchemy import Connection

from registrar.event import Actor, Event
from registrar.ledger import Ledger
from registrar.ledger.accept import Delivery
from registrar.ledger.deployments import under_way
from registrar.ledger.history import models_held
from registrar.ledger.inbox import Inbox, Submission
from registrar.ledger.promotions import still_open
from registrar.policy import Policy
from registrar.policy.approval import Approval
from registrar.policy.document import OURSELVES
from registrar.policy.duration import length
from registrar.policy.timing import last
from registrar.vocabulary import Data, ModelPrune, ModelReview, RegistryReconcile
from worker.promotion import due

ACTOR = Actor(f"source:{OURSELVES}", "Registrar")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_LONG = 200  # characters; a delivery id has 256
_UNSIGNED = "0" * 64  # nothing was sent: there is no body


def tick(ledger: Ledger, inbox: Inbox, policy: Policy, now: datetime) -> None:
    """Submit what is due; returns once it is on disk. Raises LedgerUnavailable."""
    with ledger.read() as connection:
        due_now = [
            _reviews(connection, policy, now),
            _reconciles(connection, policy, now),
            _prunes(connection, policy, now),
        ]
        deliveries = dict(chain.from_iterable(due_now))
    receipts = [
        inbox.submit(Submission(Delivery(OURSELVES, id_, _UNSIGNED), [event], now, entrance="scheduler"))
        for id_, event in deliveries.items()
    ]
    for receipt in receipts:
        receipt.result()


def _reviews(connection: Connection, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    for one in still_open(connection):
        target = policy.model(one.model).target(one.target)
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        for thing, at in due.times(one, approval).items():
            if at <= now:
                yield f"{thing}:{one.id}:{at.isoformat()}", _event(ModelReview(model=one.model), now)
    for deployment in under_way(connection):
        if deployment.due_at and deployment.due_at <= now:
            yield f"timed out:{deployment.id}", _event(ModelReview(model=deployment.model), now)


def _reconciles(connection: Connection, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Each period has one. What the record knows nothing of can't have changed."""
    for model in models_held(connection):
        if every := policy.model(model).reconcile_every:
            period = now - (now - _EPOCH) % length(every)
            yield _id("reconcile", model, period), _event(RegistryReconcile(model=model), now)


def _prunes(connection: Connection, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """The last time that a schedule names: those that passed while the clock stood still are one."""
    for model in models_held(connection):
        kept = policy.model(model).retention
        if kept and kept.schedule and (at := last(kept.schedule, now)):
            yield _id("prune", model, at), _event(ModelPrune(model=model), now)


def _id(what: str, model: str, at: datetime) -> str:
    """A model's name may be as long as the column alone: of a long one, its digest."""
    name = model if len(model) <= _LONG else hashlib.sha256(model.encode()).hexdigest()
    return f"{what}:{name}:{at.isoformat()}"


def _event(data: Data, now: datetime) -> Event:
    return Event(data, ACTOR, now)
