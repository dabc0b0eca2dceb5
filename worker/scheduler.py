"""Submit events of our own for what is due; each is accepted once, however often the clock ticks.

A delivery id says what is due and since when, and of a review also how many went before it without effect: so ticks of
several workers, or after a crash, submit the same.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

from registrar.events.event import Actor, Event
from registrar.events.types import Data, ModelPrune, ModelReview, RegistryReconcile
from registrar.ledger import Connection, Ledger
from registrar.ledger.deployments import under_way
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import models_held
from registrar.ledger.inbox import Inbox, Submission
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.reviews import reviews
from registrar.policy import Policy
from registrar.policy.approvals import Approval
from registrar.policy.document import OURSELVES
from registrar.policy.duration import length
from registrar.policy.time_gates import last
from worker.promotions import deadlines

ACTOR = Actor(f"source:{OURSELVES}", "Registrar")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_LONG = 180  # characters; a delivery id has 256
_AGAIN, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=15)
_UNSIGNED = "0" * 64  # nothing was sent: there is no body


def tick(ledger: Ledger, inbox: Inbox, policy: Policy, now: datetime) -> None:
    """Submit what is due; returns once it is durable. Raises LedgerUnavailable."""
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
    """Yield one review for each model with something due, and again while it stays due: a tick whose clock was
    ahead, or a review that died, changed nothing.
    """
    for model, at in _due(connection, policy, now).items():
        data = ModelReview(model=model)
        lane = data.lane("")
        past = reviews(connection, model, source=OURSELVES, type_=data.type, lane=lane, since=at)
        if not past.under_way and (past.last is None or abs(now - past.last) >= _pause(past.since)):
            yield f"{_id('review', model, at)}:{past.seq}", _event(data, now)


def _due(connection: Connection, policy: Policy, now: datetime) -> dict[str, datetime]:
    """Return by model the latest time at which something became due; earlier ones are reviewed with it."""
    found = [(one.model, at) for one in under_way(connection) if (at := one.due_at)]
    for one in still_open(connection):
        target = policy.model(one.model).target(one.target)
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        found += [(one.model, at) for at in deadlines.due_times(one, approval).values()]
    return {model: at for at, model in sorted((at, model) for model, at in found if at <= now)}


def _pause(times: int) -> timedelta:
    """Return the pause after so many reviews without effect: none, none, 10 s, 20 s, 40 s ... 15 min."""
    return min(_AGAIN * 2 ** (times - 2), _LONGEST_PAUSE) if times > 1 else timedelta()


def _reconciles(connection: Connection, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Yield one per period, for each model that the record knows holders of."""
    for model in models_held(connection):
        if every := policy.model(model).reconcile_every:
            period = now - (now - _EPOCH) % length(every)
            yield _id("reconcile", model, period), _event(RegistryReconcile(model=model), now)


def _prunes(connection: Connection, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Yield the last time that the schedule names; several that passed while the clock stood still are one."""
    for model in models_held(connection):
        kept = policy.model(model).retention
        if kept and kept.schedule and (at := last(kept.schedule, now)):
            yield _id("prune", model, at), _event(ModelPrune(model=model), now)


def _id(what: str, model: str, at: datetime) -> str:
    """Return a delivery id. A long model name is replaced by its digest: the name alone may fill the column."""
    name = model if len(model) <= _LONG else hashlib.sha256(model.encode()).hexdigest()
    return f"{what}:{name}:{at.isoformat()}"


def _event(data: Data, now: datetime) -> Event:
    return Event(data, ACTOR, now)
