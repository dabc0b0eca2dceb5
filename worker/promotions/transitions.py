"""Move a version between stages, with its alias, and note that in its description.

Each step reads before it writes, so a repetition after a crash changes nothing; the last write, of the description,
returns the version as it is then, which is compared with what it should be. The mode `stages` sets no alias, the mode
`aliases` no stage.

A move is all or nothing: where MLflow refuses a stage or an alias for good, what was written is undone. A refused line
in the description undoes nothing.
"""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.holders import HoldingEnded, HoldingStarted, held_now, holder
from worker.promotions import transition_step, version_state
from worker.promotions.move_description import describe_move
from worker.promotions.stage_occupancy import StageSnapshot, exclusive_stages, take_snapshot
from worker.promotions.transition_step import TransitionStep
from worker.promotions.version_identity import VersionChanged
from worker.promotions.version_state import current_stage, holding_key
from worker.registry.entities import Version
from worker.registry.protocol import PermanentError, Refused, RegistryError, RetryableError, find_version
from worker.task_context import TaskContext


def move(
    context: TaskContext,
    version: Version,
    stage: str,
    *,
    reason: str | None = None,
    promotion: str | None = None,
    follow_ups: tuple[FollowUp, ...] = (),
) -> Outcome:
    """Move a version to a stage, set the target's alias, and remove the version's aliases of other targets.

    promotion: the id of the promotion that moves it, for the record's holdings. The outcome's follow-ups move other
    versions out of an exclusive stage, one by one, before any other task of this lane.
    """
    policy = context.policy.model(version.model)
    step = TransitionStep(version, stage, policy, policy.target(stage), promotion)
    former = _former_holder(context, step)
    try:
        not_described, previous, snapshot = _write_move(context, step, former)
    except VersionChanged:
        transition_step.release_other_version(context, step)
        raise
    except RegistryError as error:
        if not context.ends(error) or (became := transition_step.undo_move(context, step)) is None:
            raise
        # More than a refusal, as something was written.
        kind = PermanentError if isinstance(error, Refused) else type(error)
        raise kind(f"{error}; {became}") from error
    others = snapshot.others(stage, version) if snapshot else []
    fact = _fact(context, step, former, reason=reason, not_described=not_described)
    return Outcome(
        summary=fact.text,
        facts=(fact,),
        follow_ups=(*(_replace(other, step) for other in others), *follow_ups),
        records=(*_records(context, step), *previous, *(snapshot.records if snapshot else ())),
    )


def _write_move(
    context: TaskContext, step: TransitionStep, former: int | None
) -> tuple[str | None, tuple[LedgerChange, ...], StageSnapshot | None]:
    """Make the move. former: the replaced version. Returns why it could not be described, for people, or None."""
    moved = _write(context, step)
    described, not_described = describe_move(context, moved, step.line(context))
    _verify(step, described or context.registry.version(step.version.model, step.version.version))
    previous = _name_previous(context, step, former)
    snapshot = take_snapshot(context, step.version.model) if step.stage in exclusive_stages(step.policy) else None
    return not_described, previous, snapshot


def _write(context: TaskContext, step: TransitionStep) -> Version:
    """Write stage and aliases. Returns the version with what others wrote until the stage was."""
    version = moved = step.version
    if step.staged and version.stage != step.stage:
        moved = context.registry.set_stage(version.model, version.version, step.stage)
    if step.alias and step.alias not in version.aliases:
        context.registry.set_alias(version.model, step.alias, version.version)
    for alias in sorted(step.foreign & set(version.aliases)):
        context.registry.drop_alias(version.model, alias)
    return moved


def _former_holder(context: TaskContext, step: TransitionStep) -> int | None:
    """Return the version that is replaced, by the record, which changes only at the end: the same on every attempt."""
    if not step.target:
        return None
    with context.ledger.read() as connection:
        number = holder(connection, step.version.model, *holding_key(step.policy, step.target))
    return None if number == step.version.version else number


def _name_previous(context: TaskContext, step: TransitionStep, former: int | None) -> tuple[LedgerChange, ...]:
    """Give the replaced version the policy's alias for such versions, unless it is quarantined."""
    alias = step.target.previous_alias if step.target else None
    if not alias or former is None:
        return ()
    version = find_version(context.registry, step.version.model, former)
    if version is None or version_state.quarantine_reason(context.ledger, version):
        return ()
    if alias not in version.aliases:
        context.registry.set_alias(version.model, alias, former)
    return (HoldingStarted(version.model, "alias", alias, former, alone=True),)


def _verify(step: TransitionStep, now: Version) -> None:
    if (step.staged and now.stage != step.stage) or (step.alias and step.alias not in now.aliases):
        actual = f"{now.stage} with {', '.join(f'@{alias}' for alias in now.aliases) or 'no alias'}"
        raise RetryableError(
            f"{step.version} should be in {step.stage} now, but is in {actual}: somebody else moved it meanwhile"
        )


def _replace(other: Version, step: TransitionStep) -> FollowUp:
    args = {"version": other.version, "held": step.stage, "replaced_by": step.version.version}
    return FollowUp("worker.archive", args, finishes=True)


def _records(context: TaskContext, step: TransitionStep) -> tuple[LedgerChange, ...]:
    """Return the changed holdings. Those of former holders of an exclusive stage end, also where one was moved away by
    hand unnoticed, or is archived right after this.
    """
    model, number, promotion = step.version.model, step.version.version, step.promotion
    records: list[LedgerChange] = [HoldingEnded(model, "alias", number, key) for key in sorted(step.foreign)]
    if step.staged:
        records.append(HoldingEnded(model, "stage", number, keep=step.stage))
    # A promotion always starts a new holding; without one, a version that was there at the first attempt keeps its own.
    again = promotion is not None or context.task.attempts > 1
    if step.staged and step.stage != "None":
        alone = step.target is not None and step.target.exclusive
        anew = again or step.version.stage != step.stage
        records.append(HoldingStarted(model, "stage", step.stage, number, alone=alone, promotion=promotion, anew=anew))
    if step.alias:
        anew = again or step.alias not in step.version.aliases
        records.append(HoldingStarted(model, "alias", step.alias, number, alone=True, promotion=promotion, anew=anew))
    return tuple(records)


def _fact(
    context: TaskContext, step: TransitionStep, former: int | None, *, reason: str | None, not_described: str | None
) -> Fact:
    """Return the fact about the move. not_described: why the version's description has no line about it."""
    version, stage, alias = step.version, step.stage, step.alias
    details = {
        "from": current_stage(step.policy, version),
        "stage": stage,
        "alias": alias,
        "previous_version": former,
        "run_id": version.run_id,
        "commit": version.tags.get("registrar.commit"),
        "by": context.actor_name,
    }
    suffix = f": {reason}" if reason else ""
    suffix += f"; no version is in {emptied} now" if (emptied := _emptied(context, step)) else ""
    suffix += f"; its description does not say so: {not_described}" if not_described else ""
    if stage == "Archived":
        text = f"{version} was archived by {context.actor_name}{suffix}"
        return Fact(FactType.MODEL_VERSION_ARCHIVED, text, version.model, version.version, details)
    where = f"{stage} (@{alias})" if alias else stage
    text = f"{version} is in {where}, by {context.actor_name}{suffix}"
    return Fact(FactType.MODEL_VERSION_TRANSITIONED, text, version.model, version.version, details)


def _emptied(context: TaskContext, step: TransitionStep) -> str | None:
    """Return the target that the version leaves for none, where no other version holds it by the record."""
    target = step.policy.target(current_stage(step.policy, step.version))
    if target is None or step.target is not None:
        return None
    kind, key = holding_key(step.policy, target)
    with context.ledger.read() as connection:
        holders = held_now(connection, step.version.model, kind)
    others = [one for one in holders if one.key == key and one.version != step.version.version]
    return None if others else target.stage
