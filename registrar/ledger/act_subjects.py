"""Bind decisions to the state of the ledger at the acceptance of their event, as their author saw that state.

A vote or a cancellation is bound to a promotion and its evidence; a rollback to the holders of the model; a resent
event to the state at the resend. These pins are stored with the event's first task, and compared when it runs.

A report of a deployment or an evaluation that is sent again counts from the acceptance of the original.
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

# Key of the pins in a task's args.
KEY = "pinned"
# Keys in the pins: when the registry created each holder; the seq of the original of a resent event.
MADE = "made"
ORIGINAL = "told"
_REPORTS = frozenset({DeploymentFailed.type, DeploymentSucceeded.type, EvaluationRunFinished.type})
_VOTES = frozenset({PromotionApprove.type, PromotionReject.type, PromotionCancel.type})
# The types of events that are pinned.
ACTS = _VOTES | {ModelRollback.type, EventReplay.type}
# The data of an event, as stored.
Data = Mapping[str, Any]


def load_pins(connection: Connection, type_: str, data: Data) -> dict[str, Any]:
    """Return the pins of an event, JSON-able; {} for types of events that are not pinned."""
    if type_ in _VOTES:
        promotion = _find_promotion(connection, data)
        return {
            "promotion": promotion.id if promotion else None,
            "state": promotion.state if promotion else None,
            "evidence": promotion.digest if promotion and promotion.open else None,
        }
    if type_ == ModelRollback.type:
        stages = {held.key: held.version for held in held_now(connection, data["model"], "stage")}
        aliases = {f"@{held.key}": held.version for held in held_now(connection, data["model"], "alias")}
        return {"holders": stages | aliases, MADE: _load_creation_times(connection, data["model"])}
    if type_ == EventReplay.type:
        original = connection.execute(
            select(events.c.type, events.c.data).where(events.c.id == data["event_id"])
        ).first()
        return load_pins(connection, original.type, original.data) if original and original.type != type_ else {}
    return {}


def resend_pins(connection: Connection, event_id: str, type_: str) -> dict[str, int]:
    """Return the pins of a resent event: the original's seq for a report, else {}."""
    return {ORIGINAL: original_seq(connection, event_id)} if type_ in _REPORTS else {}


def original_seq(connection: Connection, event_id: str) -> int:
    """Return the seq of an event; of one that was sent again, the seq of the original."""
    # Tasks of an event that was sent again are never archived (archivable_tasks.py).
    query = select(events.c.seq, tasks.c.args).outerjoin(tasks, tasks.c.event_id == events.c.id)
    row = connection.execute(query.where(events.c.id == event_id).order_by(tasks.c.seq).limit(1)).one()
    return int((row.args or {}).get(KEY, {}).get(ORIGINAL, row.seq))


def explain_outdated_vote(
    connection: Connection, type_: str, data: Data, args: Mapping[str, Any], author: str
) -> str | None:
    """Say why a vote is not about the present promotion; None: it is, or there was nothing to vote on.

    args: those of the vote's first task. author: the name of its author.
    """
    if KEY not in args:
        return f"the version of Registrar that accepted it did not record what {author} was shown"
    pins = args[KEY]
    pinned = get(connection, pins["promotion"]) if pins["promotion"] else None
    if pinned is None:
        latest_ = None if data.get("promotion") else latest(connection, data["model"], data["version"], data["target"])
        return f"{latest_} was asked for after {author} said so" if latest_ and latest_.open else None
    if pins["evidence"] is None:
        return None  # it had ended before the vote; the vote's own check says so
    if pinned.open:
        return _explain_reevaluation(pinned, pins, type_, data, author)
    latest_ = latest(connection, pinned.model, pinned.version, pinned.target)
    because = f" ({pinned.reason})" if pinned.reason else ""
    return f"{latest_} was asked for after {author} said so{because}" if latest_ and latest_.open else None


def _explain_reevaluation(
    promotion: Promotion, pins: Mapping[str, Any], type_: str, data: Data, author: str
) -> str | None:
    """Say whether a reevaluation after a time gate changed what the vote was about; None: it did not."""
    if promotion.digest != pins["evidence"]:
        return f"what {promotion} shows changed after {author} said so, since it was looked at again after its wait"
    early = pins["state"] == PromotionState.WAITING and promotion.state == PromotionState.AWAITING_APPROVAL
    if early and type_ != PromotionCancel.type and not data.get("break_glass"):
        return f"{promotion} was asked for after {author} said so"
    return None


def _load_creation_times(connection: Connection, model: str) -> dict[str, str]:
    """Return when the registry made each holder, by stage or @alias, where that is known."""
    joined = holders.join(incarnations, holders.c.incarnation == incarnations.c.seq)
    query = select(holders.c.kind, holders.c.key, incarnations.c.created_at).select_from(joined)
    now = query.where(holders.c.model == model, holders.c.until.is_(None)).order_by(holders.c.seq)
    return {key if kind == "stage" else f"@{key}": at.isoformat() for kind, key, at in connection.execute(now)}


def _find_promotion(connection: Connection, data: Data) -> Promotion | None:
    """Return the promotion that a vote names, else the newest one for its version and target."""
    if named := data.get("promotion"):
        return get(connection, named)
    return latest(connection, data["model"], data["version"], data["target"])
