"""Who goes first in a lane: what stops a promotion or takes a bad version out overtakes what waits there.

Two rules keep an overtaking from changing what people meant. A decision never passes an earlier one that it may be
about: a rejection no earlier vote on its promotion, a rollback no earlier approval of the model, nor what says that a
version may be gone back to. And what has begun to
move a version in the registry is finished, or taken back, before anything else moves one. All else keeps its order.
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
    """With the order of acceptance, the place in a lane: the least goes first."""

    REJECTION = 0  # it writes to the ledger alone: nothing that is half done in the registry is in its way
    HALF_DONE = 1  # a move that has begun to write to the registry, and what is left of one
    PRESSING = 2  # a cancellation, a rollback
    ORDINARY = 3


_VOTES = (PromotionApprove.type, PromotionReject.type, PromotionCancel.type)
# What a rollback may be about: what holds the target, and which versions it may go to.
_BEFORE_ROLLBACK = (PromotionApprove.type, ModelRollback.type, QuarantineLift.type, DeploymentSucceeded.type)
_GOES_FIRST = {
    PromotionReject.type: Rank.REJECTION,
    PromotionCancel.type: Rank.PRESSING,
    ModelRollback.type: Rank.PRESSING,
}
# Half done, they leave a version between two stages.
MOVES = frozenset({"worker.transition", "worker.rollback", "worker.archive", "worker.adopt", "worker.revert_drift"})


def rank_of_event(connection: Connection, type_: str, pins: Mapping[str, Any], *, lane: str, seq: int) -> Rank:
    """The rank of an event that is being accepted. pins: what it is about, as pinned.about has it."""
    rank = _GOES_FIRST.get(type_, Rank.ORDINARY)
    if rank == Rank.ORDINARY:
        return rank
    passed = _load_overtaken_decisions(connection, rank, lane, seq)
    if type_ == ModelRollback.type:
        return Rank.ORDINARY if any(row.type in _BEFORE_ROLLBACK for row in passed) else rank
    if not pins.get("evidence"):  # it stops nothing: nobody asked yet, or it is over
        return Rank.ORDINARY
    votes = [row.args.get(KEY, {}).get("promotion") for row in passed if row.type in _VOTES]
    return Rank.ORDINARY if pins["promotion"] in votes else rank


def _load_overtaken_decisions(connection: Connection, rank: Rank, lane: str, seq: int) -> Sequence[Row[Any, Any]]:
    """What was decided earlier, is not done yet, and would be overtaken by it."""
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    waiting = and_(tasks.c.lane == lane, is_open(), tasks.c.rank > rank, tasks.c.event_seq < seq)
    decided = events.c.type.in_({*_VOTES, *_BEFORE_ROLLBACK})
    return connection.execute(select(tasks.c.args, events.c.type).select_from(joined).where(waiting, decided)).all()
