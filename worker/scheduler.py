"""Submit events of our own for what is due; each is accepted once, however often the scheduler ticks.

A delivery id says what is due and since when; that of a review also how many before it had no effect. So the ticks of
several workers, or after a crash, submit the same ids.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

from registrar.events.event import Actor, Event
from registrar.events.types import Data, ModelPrune, ModelReview, RegistryReconcile
from registrar.ledger import Ledger
from registrar.ledger.deployments import under_way
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import models_held
from registrar.ledger.inbox import Inbox, Submission
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.reviews import reviews
from registrar.ledger.watermarks import models_watched
from registrar.policy import Policy
from registrar.policy.approvals import Approval
from registrar.policy.document import OURSELVES
from registrar.policy.time_gates import last
from registrar.queries import deadlines
from registrar.text.duration import length

ACTOR = Actor(f"source:{OURSELVES}", "Registrar")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_MAX_NAME = 180  # characters; a delivery id has 256
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=15)
_NO_BODY = "0" * 64  # the digest of a delivery without one


def tick(ledger: Ledger, inbox: Inbox, policy: Policy, now: datetime) -> None:
    """Submit what is due, and return once it is durable. Raises LedgerUnavailable."""
    with ledger.read() as connection:
        models = models_held(connection)
        known = sorted({*models, *models_watched(connection)})
    due = chain(_reviews(ledger, policy, now), _reconciles(known, policy, now), _prunes(models, policy, now))
    receipts = [
        inbox.submit(Submission(Delivery(OURSELVES, id_, _NO_BODY), [event], now, entrance="scheduler"))
        for id_, event in dict(due).items()
    ]
    for receipt in receipts:
        receipt.result()


def _reviews(ledger: Ledger, policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Yield a review for each model with something due, and again while that stays due: a review has no effect where
    this clock is ahead of the worker's, or where it died.
    """
    for model, at in _due_since(ledger, policy, now).items():
        data = ModelReview(model=model)
        with ledger.read() as connection:
            past = reviews(connection, model, source=OURSELVES, type_=data.type, lane=data.lane(""), since=at)
        if not past.under_way and (past.last is None or abs(now - past.last) >= _pause(past.since)):
            yield f"{_id('review', model, at)}:{past.seq}", _event(data, now)


def _due_since(ledger: Ledger, policy: Policy, now: datetime) -> dict[str, datetime]:
    """Return by model the latest time at which something became due; a review deals with the earlier ones, too."""
    with ledger.read() as connection:
        deployments, promotions = under_way(connection), still_open(connection)
    times = [(at, deployment.model) for deployment in deployments if (at := deployment.due_at)]
    for promotion in promotions:
        target = policy.model(promotion.model).target(promotion.target)
        approval = target.approval if target and isinstance(target.approval, Approval) else None
        times += [(at, promotion.model) for at in deadlines.due_times(promotion, approval).values()]
    return {model: at for at, model in sorted(times) if at <= now}


def _pause(times: int) -> timedelta:
    """Return the pause after so many reviews without effect: none, none, 10 s, 20 s, 40 s ... 15 min."""
    return min(_FIRST_PAUSE * 2 ** (times - 2), _LONGEST_PAUSE) if times > 1 else timedelta()


def _reconciles(models: Iterable[str], policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Yield the present period's reconcile of each model. models: those that were looked at, or have holders."""
    for model in models:
        if every := policy.model(model).reconcile_every:
            period = now - (now - _EPOCH) % length(every)
            yield _id("reconcile", model, period), _event(RegistryReconcile(model=model), now)


def _prunes(models: Iterable[str], policy: Policy, now: datetime) -> Iterator[tuple[str, Event]]:
    """Yield a prune for the last time that each schedule names; several that passed while no worker ran are one."""
    for model in models:
        retention = policy.model(model).retention
        if retention and retention.schedule and (at := last(retention.schedule, now)):
            yield _id("prune", model, at), _event(ModelPrune(model=model), now)


def _id(what: str, model: str, at: datetime) -> str:
    """Return a delivery id. A digest replaces a long model name, which alone may fill the column."""
    name = model if len(model) <= _MAX_NAME else hashlib.sha256(model.encode()).hexdigest()
    return f"{what}:{name}:{at.isoformat()}"


def _event(data: Data, now: datetime) -> Event:
    return Event(data, ACTOR, now)
