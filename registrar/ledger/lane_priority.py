"""Ranks within a lane: rejections, cancellations and rollbacks overtake the tasks that wait there.

Two rules keep an overtaking from changing what people meant:

- A decision never overtakes an earlier one that it may be about: a rejection no earlier vote on its promotion; a
  rollback no earlier approval of the model, nor an event that makes a version fit to go back to.
- A task that began to move a version in the registry is finished or reverted before another one moves a version.

All other tasks keep the order of acceptance.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from registrar.events.types import (
    DeploymentSucceeded,
    ModelRollback,
    PromotionApprove,
    PromotionCancel,
    PromotionReject,
    QuarantineLift,
)
from registrar.ledger.act_subjects import KEY
from registrar.ledger.predicates import is_open
from registrar.ledger.tables import events, tasks


class Rank(IntEnum):
    """Order tasks of a lane, lowest first; within a rank, by acceptance."""

    REJECTION = 0  # writes to the ledger only, so that a half-done move is not in its way
    HALF_DONE = 1  # a move that began to write to the registry, and follow-ups that complete it
    PRESSING = 2  # a cancellation, a rollback
    ORDINARY = 3


_VOTES = (PromotionApprove.type, PromotionReject.type, PromotionCancel.type)
# Events that change what a rollback means: who holds the target, which versions it may go back to.
_BEFORE_ROLLBACK = (PromotionApprove.type, ModelRollback.type, QuarantineLift.type, DeploymentSucceeded.type)
_GOES_FIRST = {
    PromotionReject.type: Rank.REJECTION,
    PromotionCancel.type: Rank.PRESSING,
    ModelRollback.type: Rank.PRESSING,
}
# Tasks that leave a version between two stages when they are interrupted.
MOVES = frozenset({"worker.transition", "worker.rollback", "worker.archive", "worker.adopt", "worker.revert_drift"})


def rank_of_event(connection: Connection, type_: str, pins: Mapping[str, Any], *, lane: str, seq: int) -> Rank:
    """Return the rank of an event that is being accepted. pins: from act_subjects.load_pins."""
    rank = _GOES_FIRST.get(type_, Rank.ORDINARY)
    if rank == Rank.ORDINARY:
        return rank
    overtaken = _load_overtaken_decisions(connection, rank, lane, seq)
    if type_ == ModelRollback.type:
        return Rank.ORDINARY if any(row.type in _BEFORE_ROLLBACK for row in overtaken) else rank
    if not pins.get("evidence"):  # there is nothing to stop: no promotion is open
        return Rank.ORDINARY
    votes = [row.args.get(KEY, {}).get("promotion") for row in overtaken if row.type in _VOTES]
    return Rank.ORDINARY if pins["promotion"] in votes else rank


def _load_overtaken_decisions(connection: Connection, rank: Rank, lane: str, seq: int) -> Sequence[Row[Any, Any]]:
    """Return earlier decisions in the lane that are unfinished and would be overtaken."""
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    waiting = and_(tasks.c.lane == lane, is_open(), tasks.c.rank > rank, tasks.c.event_seq < seq)
    is_decision = events.c.type.in_({*_VOTES, *_BEFORE_ROLLBACK})
    return connection.execute(select(tasks.c.args, events.c.type).select_from(joined).where(waiting, is_decision)).all()
