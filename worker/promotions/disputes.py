"""Tell whether MLflow and the record of a model can share one past; where they can't, nothing is concluded from either.

Signs that one of the two was restored from a backup, or that another registry is asked: MLflow has nothing of the
model; its clock shows an earlier time than was seen before; versions carry tags of ours that the record knows nothing
of. An older version under a known number is noticed wherever one is read (version_identity.py).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from registrar.events.outcome import Outcome
from registrar.ledger.disputes import Settled, dispute, settled_at
from registrar.ledger.holders import Holder, held_now
from registrar.ledger.incarnations import known
from registrar.ledger.queries.archived_events import any_accepted, ever_accepted
from registrar.ledger.stage_snapshots import last_snapshot
from worker.promotions.version_identity import dispute_error
from worker.registry.entities import Model, Version
from worker.registry.protocol import NotFound
from worker.task_context import TaskContext

EVENT = "registrar.event"  # tag of each version that was registered here
_MINUTE = timedelta(minutes=1)
_COPY = re.compile(r"models:/.+/\d+")  # source of a copy that MLflow made, tags included
_MOVED = re.compile(r"^version (\d+) was transitioned to (\w+) on (\d{4}-\d\d-\d\d \d\d:\d\d) UTC by ", re.MULTILINE)


def unsettled_outcome(context: TaskContext) -> Outcome | None:
    """Return the outcome instead of a comparison, while an operator has not said which of the two counts."""
    with context.ledger.read() as connection:
        found = dispute(connection, context.model)
    if found is None or (found.moves and _model(context)):
        return None
    return Outcome(f"nothing was compared: {found.why}")


def blocked_reason(context: TaskContext) -> str | None:
    """Return why nothing of the model may move, for people; None where it may."""
    with context.ledger.read() as connection:
        found = dispute(connection, context.model)
    return found.why if found and not found.moves else None


def check(context: TaskContext, versions: Sequence[Version], *, at: int, differs: bool) -> tuple[Settled, ...]:
    """Return what ends a dispute that has resolved itself. Raises VersionChanged where the two don't fit together.

    versions: all of the model. at: as of protocol.Recent. differs: whether anything is not as the record has it.
    """
    model = _model(context)
    if model is None and _holdings(context):
        text = "MLflow has no such model, or nothing of it; the record knows who holds its stages and aliases"
        raise dispute_error(context.model, text, moves=True)
    if model and differs and (why := _went_back(context, max(at, model.changed))):
        raise dispute_error(context.model, why)
    check_record(context, versions)
    with context.ledger.read() as connection:
        return (Settled(context.model, "MLflow has it again"),) if dispute(connection, context.model) else ()


def check_record(context: TaskContext, versions: Sequence[Version]) -> None:
    """Raises VersionChanged where the record lacks something that Registrar did: it is older than MLflow."""
    if lacking := find_unrecorded(context, versions):
        raise dispute_error(context.model, f"the record is older than MLflow: {lacking[0][1]}")


def find_unrecorded(context: TaskContext, versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Return the versions of which the record lacks something that Registrar did, each with what."""
    return [*_find_unknown_events(context, versions), *_find_unknown_moves(context, versions)]


def _find_unknown_events(context: TaskContext, versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Find versions registered by an event that the ledger never had."""
    tagged = [one for one in versions if one.tags.get(EVENT) and not _COPY.fullmatch(one.source)]
    with context.ledger.read() as connection:
        accepted = ever_accepted(connection, sorted({one.tags[EVENT] for one in tagged}))
        noted = known(connection, context.model).values()
    address = context.registry.address
    return [
        (one, f"{one} was registered by event {one.tags[EVENT]}, which it lacks")
        for one in tagged
        if one.tags[EVENT] not in accepted and not any(each.same(one.incarnation(address)) for each in noted)
    ]


def _find_unknown_moves(context: TaskContext, versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Find versions whose description tells of a move to their stage by an event that the ledger does not have."""
    found = []
    with context.ledger.read() as connection:
        recorded, since = held_now(connection, context.model, "stage"), settled_at(connection, context.model)
        for one in versions:
            at = _moved_at(one)
            if at is None or Holder(one.stage, one.version) in recorded or (since and at < since):
                continue
            if not any_accepted(connection, context.model, since=at, until=at + _MINUTE):
                found.append((one, f"{one} was moved to {one.stage} on {at:%Y-%m-%d %H:%M} UTC, which it lacks"))
    return found


def _moved_at(version: Version) -> datetime | None:
    """Return when the version came to its stage, by its description, to the minute. The stage None counts as no
    holding.
    """
    if version.stage == "None":
        return None
    times = [at for number, stage, at in _MOVED.findall(version.description) if (int(number), stage) == _now(version)]
    return datetime.strptime(times[-1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC) if times else None


def _now(version: Version) -> tuple[int, str]:
    return version.version, version.stage


def _went_back(context: TaskContext, at: int) -> str | None:
    """at: when MLflow last changed any of the model, by its own clock."""
    with context.ledger.read() as connection:
        snapshot = last_snapshot(connection, context.model)
    if snapshot is None or snapshot.at <= at:
        return None
    return (
        f"MLflow changed it last on {_time(at)}; it had changed it on {_time(snapshot.at)} when it was looked at before"
    )


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _holdings(context: TaskContext) -> list[Holder]:
    with context.ledger.read() as connection:
        return [*held_now(connection, context.model, "stage"), *held_now(connection, context.model, "alias")]


def _model(context: TaskContext) -> Model | None:
    try:
        return context.registry.model(context.model)
    except NotFound:
        return None
