"""What an act is about: bound to what the ledger had when its event was accepted, since nobody has seen more.

A vote or a cancellation is bound to a promotion and its evidence, a rollback to who holds the target; a replay of such
an event to the same. It is kept with the event's first task, and compared when its turn comes.

What a sender reports is bound to its own time: replayed, it counts as told when it was accepted first.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.states import PromotionState
from registrar.events.types import (
    DeploymentFailed,
    DeploymentSucceeded,
    EvaluationRunFinished,
    EventReplay,
    ModelRollback,
    PromotionApprove,
    PromotionCancel,
    PromotionReject,
)
from registrar.ledger.holders import held_now
from registrar.ledger.promotions import Promotion, get, latest
from registrar.ledger.tables import events, holders, incarnations, tasks

KEY = "pinned"  # of a task's args
MADE = "made"  # of what is pinned: when the registry made each holder
TOLD = "told"  # of what is pinned: the seq of the event that a replay says again
_REPORTS = frozenset({DeploymentFailed.type, DeploymentSucceeded.type, EvaluationRunFinished.type})
_VOTES = frozenset({PromotionApprove.type, PromotionReject.type, PromotionCancel.type})
ACTS = _VOTES | {ModelRollback.type, EventReplay.type}  # the types of event that are pinned
Data = Mapping[str, Any]  # of an event, as it is in the ledger


def load_pins(connection: Connection, type_: str, data: Data) -> dict[str, Any]:
    """Return what is there now, JSON-able; {} where nothing can be exchanged for something else."""
    if type_ in _VOTES:
        asked = _find_promotion(connection, data)
        return {
            "promotion": asked.id if asked else None,
            "state": asked.state if asked else None,
            "evidence": asked.digest if asked and asked.open else None,
        }
    if type_ == ModelRollback.type:
        stages = {held.key: held.version for held in held_now(connection, data["model"], "stage")}
        aliases = {f"@{held.key}": held.version for held in held_now(connection, data["model"], "alias")}
        return {"holders": stages | aliases, MADE: _load_creation_times(connection, data["model"])}
    if type_ == EventReplay.type:
        first = connection.execute(select(events.c.type, events.c.data).where(events.c.id == data["event_id"])).first()
        return load_pins(connection, first.type, first.data) if first and first.type != type_ else {}
    return {}


def resend_pins(connection: Connection, event_id: str, type_: str) -> dict[str, int]:
    """Return what a replay of an event is bound to beside what its author saw; {} where nothing depends on its time."""
    return {TOLD: original_seq(connection, event_id)} if type_ in _REPORTS else {}


def original_seq(connection: Connection, event_id: str) -> int:
    """Return the seq of an event; of a replay, that of the event which was accepted first."""
    query = select(events.c.seq, tasks.c.args).join(tasks, tasks.c.event_id == events.c.id)
    row = connection.execute(query.where(events.c.id == event_id).order_by(tasks.c.seq).limit(1)).one()
    return int(row.args.get(KEY, {}).get(TOLD, row.seq))


def explain_outdated_vote(
    connection: Connection, type_: str, data: Data, args: Mapping[str, Any], who: str
) -> str | None:
    """Why a vote is not about what is there now, for people; None: it is, or there was nothing to vote on.

    args: of its first task. who: its author, by name.
    """
    if KEY not in args:
        return f"the version of Registrar that accepted it did not note what {who} was shown"
    pins = args[KEY]
    was = get(connection, pins["promotion"]) if pins["promotion"] else None
    if was is None:
        now = None if data.get("promotion") else latest(connection, data["model"], data["version"], data["target"])
        return f"{now} was asked for after {who} said so" if now and now.open else None
    if pins["evidence"] is None:
        return None  # it had ended already, and says so itself
    if was.open:
        return _explain_reevaluation(was, pins, type_, data, who)
    now = latest(connection, was.model, was.version, was.target)
    because = f" ({was.reason})" if was.reason else ""
    return f"{now} was asked for after {who} said so{because}" if now and now.open else None


def _explain_reevaluation(
    promotion: Promotion, pins: Mapping[str, Any], type_: str, data: Data, who: str
) -> str | None:
    """What waited is looked at again when its time has come, and asked for then."""
    if promotion.digest != pins["evidence"]:
        return f"what {promotion} shows changed after {who} said so, since it was looked at again after its wait"
    early = pins["state"] == PromotionState.WAITING and promotion.state == PromotionState.AWAITING_APPROVAL
    if early and type_ != PromotionCancel.type and not data.get("break_glass"):
        return f"{promotion} was asked for after {who} said so"
    return None


def _load_creation_times(connection: Connection, model: str) -> dict[str, str]:
    """Return which of that number each holder is: when the registry made it, where that was noted."""
    joined = holders.join(incarnations, holders.c.incarnation == incarnations.c.seq)
    query = select(holders.c.kind, holders.c.key, incarnations.c.created_at).select_from(joined)
    now = query.where(holders.c.model == model, holders.c.until.is_(None)).order_by(holders.c.seq)
    return {key if kind == "stage" else f"@{key}": at.isoformat() for kind, key, at in connection.execute(now)}


def _find_promotion(connection: Connection, data: Data) -> Promotion | None:
    """The promotion that a vote means: the one that it names, else the newest of the step."""
    if named := data.get("promotion"):
        return get(connection, named)
    return latest(connection, data["model"], data["version"], data["target"])
