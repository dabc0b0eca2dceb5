"""Detect that MLflow and the record of a model contradict each other; then nothing is concluded from either.

Signs that one of the two was restored from a backup, or that the worker asks another registry: MLflow has nothing of
the model; its clock shows an earlier time than a former snapshot; versions have tags of ours whose events the record
lacks. Where a version older than the record's has a known number, version_identity.py finds out.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from registrar.events.outcome import Outcome
from registrar.ledger.disputes import Settled, dispute, settled_at
from registrar.ledger.holders import Holder, held_now
from registrar.ledger.incarnations import known, names_of
from registrar.ledger.queries.find import any_accepted, ever_accepted
from registrar.ledger.stage_snapshots import last_snapshot
from worker.promotions.version_identity import dispute_error
from worker.registry.entities import Model, Version, is_copy
from worker.registry.protocol import find_model
from worker.task_context import TaskContext

EVENT = "registrar.event"  # tag of each version that Registrar registered
_MINUTE = timedelta(minutes=1)
_MOVED = re.compile(r"^version (\d+) was transitioned to (\w+) on (\d{4}-\d\d-\d\d \d\d:\d\d) UTC by ", re.MULTILINE)


def unsettled_outcome(context: TaskContext) -> Outcome | None:
    """Return the outcome that replaces a comparison while the model is in dispute; None where it is not."""
    with context.ledger.read() as connection:
        open_dispute = dispute(connection, context.model)
    if open_dispute is None or (open_dispute.moves and find_model(context.registry, context.model)):
        return None
    return Outcome(f"nothing was compared: {open_dispute.why}")


def blocked_reason(context: TaskContext) -> str | None:
    """Return why nothing of the model may move, for people; None where it may."""
    with context.ledger.read() as connection:
        open_dispute = dispute(connection, context.model)
    return open_dispute.why if open_dispute and not open_dispute.moves else None


def check(
    context: TaskContext, model: Model | None, versions: Sequence[Version], *, at: int, differs: bool
) -> tuple[Settled, ...]:
    """Return the record that ends a dispute which has resolved itself. Raises VersionChanged where a new one begins.

    model: None where the registry has none of that name. versions: all of it. at: as in entities.Recent. differs:
    whether anything differs from the record.
    """
    if model is None and _holdings(context):
        text = "MLflow has no such model, or nothing of it; the record knows who holds its stages and aliases"
        raise dispute_error(context.model, text, moves=True)
    if model and differs and (why := _went_back(context, max(at, model.changed))):
        raise dispute_error(context.model, why)
    check_record(context, versions)
    with context.ledger.read() as connection:
        return (Settled(context.model, "MLflow has it again"),) if dispute(connection, context.model) else ()


def check_record(context: TaskContext, versions: Sequence[Version]) -> None:
    """Raise VersionChanged where the record lacks something that Registrar did: it is older than MLflow."""
    if lacking := find_unrecorded(context, versions):
        raise dispute_error(context.model, f"the record is older than MLflow: {lacking[0][1]}")


def find_unrecorded(context: TaskContext, versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Return the versions of which the record lacks something that Registrar did, each with a sentence about it."""
    return [*_find_unknown_events(context, versions), *_find_unknown_moves(context, versions)]


def _find_unknown_events(context: TaskContext, versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Find versions registered by an event that the ledger lacks."""
    tagged = [one for one in versions if one.tags.get(EVENT) and not is_copy(one)]
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
    """Find versions whose description names a move to their stage by an event that the ledger lacks."""
    unknown = []
    with context.ledger.read() as connection:
        recorded, since = held_now(connection, context.model, "stage"), settled_at(connection, context.model)
        for one in versions:
            at = _moved_at(one)
            if at is None or Holder(one.stage, one.version) in recorded or (since and at < since):
                continue
            # Under a former name, where the model was renamed.
            names = {context.model, *names_of(connection, one.incarnation(context.registry.address))}
            if not any(any_accepted(connection, name, since=at, until=at + _MINUTE) for name in names):
                unknown.append((one, f"{one} was moved to {one.stage} on {at:%Y-%m-%d %H:%M} UTC, which it lacks"))
    return unknown


def _moved_at(version: Version) -> datetime | None:
    """Return when the version came to its stage, by its description, to the minute; None for the stage None."""
    if version.stage == "None":
        return None
    here = (version.version, version.stage)
    times = [at for number, stage, at in _MOVED.findall(version.description) if (int(number), stage) == here]
    return datetime.strptime(times[-1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC) if times else None


def _went_back(context: TaskContext, at: int) -> str | None:
    """Return why MLflow must have been restored, for people: its last change of the model, at `at` by its own clock,
    is before that of the last snapshot.
    """
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
