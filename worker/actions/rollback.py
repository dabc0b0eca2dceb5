"""worker.rollback, on model.rollback and after a failed deployment: go back to the earlier holder of a target, by the
record, or to a named one.

Allowed are members of the groups that approve for the target. The present holder is quarantined first, so that no late
event brings it back meanwhile. The record changes only at the end, so a retry after a crash chooses the same version.

The event is about the version that held the target when it was accepted; where MLflow shows another one there, nothing
is quarantined.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.ledger import act_subjects
from registrar.ledger.deployments import get, recorded
from registrar.ledger.holders import PastHolding, held_now
from registrar.ledger.incarnations import known
from registrar.policy import Target
from worker.promotions import version_state
from worker.promotions.deployments import request_deployment
from worker.promotions.evidence import target_of
from worker.promotions.instructions import pick_instruction, quoted_model
from worker.promotions.rollback_target import check_named_target, find_rollback_target, nameable_targets, past_holders
from worker.promotions.stage_occupancy import take_snapshot
from worker.promotions.transition_rules import missing_permission
from worker.promotions.transitions import move
from worker.promotions.version_state import holding_key
from worker.registry.entities import Version
from worker.registry.protocol import Refused, RegistryError, find_version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    target, reason = str(context.param("target") or "Production"), str(context.param("reason"))
    failed = context.task.args.get("bad")  # where the policy rolls back a failed deployment, without a request
    if failed is None:
        _permit(context, target)
    holders = past_holders(
        context.ledger, context.model, context.policy.model(context.model), target_of(context, target)
    )
    if not holders:
        raise Refused(f"the record has no version of {context.model} in {target}: there is nothing to go back from")
    bad, earlier = holders[0].version, holders[1:]
    if failed is not None and (failed != bad or not _is_deployed_version(context, holders[0])):
        return Outcome(f"{context.model} version {failed} no longer holds {target}; nothing to go back from")
    if failed is None:
        _check_holder(context, target_of(context, target), holders[0])
    good = _choose_target(context, target_of(context, target), bad, earlier)
    _check_undisturbed(context, target_of(context, target), bad, good)
    moved = _roll_back(context, good, target, bad, reason)
    change = f"from version {bad} to version {good.version}"
    text = f"{context.model} was rolled back in {target} {change}, by {context.actor_name}"
    details = {"from": bad, "to": good.version, "target": target, "reason": reason, "by": context.actor_name}
    fact = Fact(FactType.MODEL_ROLLED_BACK, f"{text}: {reason}", context.model, good.version, details)
    deployed = request_deployment(context, moved, good, target, on_failure="alert")
    return replace(deployed, summary=fact.text, facts=(fact, *deployed.facts))


def _roll_back(context: TaskContext, good: Version, target: str, bad: int, reason: str) -> Outcome:
    """Quarantine the bad version, and move the good one. Where that fails for good, the quarantine ends."""
    bad_version = find_version(context.registry, context.model, bad)
    quarantined = (version_state.quarantine(context, bad_version, reason),) if bad_version else ()
    try:
        kept = f"; version {bad} is quarantined until quarantine.lift" if quarantined else ""
        moved = move(context, good, target, reason=f"rolled back from version {bad}: {reason}{kept}")
    except RegistryError as error:
        if bad_version and context.ends(error):
            version_state.undo_quarantine(context, bad_version, reason)
        raise
    return replace(moved, records=(*quarantined, *moved.records))


def _permit(context: TaskContext, stage: str) -> None:
    """Raise Refused for an actor who may not take a version out of the target."""
    if why := missing_permission(context, target_of(context, stage)):
        raise Refused(f"{context.actor_name} may not roll {context.model} back in {stage}; {why}")


def _is_deployed_version(context: TaskContext, holder: PastHolding) -> bool:
    """Return whether the holder is the version that was deployed, and not another one of its number."""
    deployment_id = context.task.args.get("deployment")
    with context.ledger.read() as connection:
        deployment = get(connection, str(deployment_id)) if deployment_id else None
        incarnations = known(connection, context.model, version=holder.version)
    noted = recorded(deployment, incarnations).noted if deployment else None
    return noted is None or holder.noted is None or noted.same(holder.noted)


def _check_holder(context: TaskContext, target: Target, holder: PastHolding) -> None:
    """Raise Refused where another version held the target when the event was accepted: nobody called this one bad."""
    pins, bad = context.task.args.get(act_subjects.KEY, {}), holder.version
    holders, created = pins.get("holders"), pins.get(act_subjects.MADE, {})
    again = "look at what holds it, and ask again"
    if holders is None:
        raise Refused(f"the version of Registrar that accepted it did not note what held {target.stage} then; {again}")
    by_alias = context.policy.model(context.model).mode == "aliases"
    key = f"@{target.alias}" if by_alias else target.stage
    if (former := holders.get(key)) != bad:
        came = f"version {bad} of {context.model} came to {target.stage} after {context.actor_name} asked to go back"
        raise Refused(f"{came}, when {f'version {former}' if former else 'none'} held it: {again}")
    created_at = holder.noted.created_at.isoformat() if holder.noted else None
    if created_at and created.get(key, created_at) != created_at:
        raise Refused(
            f"version {bad} of {context.model} was another one when {context.actor_name} asked to go back: {again}"
        )


def _check_undisturbed(context: TaskContext, target: Target, bad: int, good: Version) -> None:
    """Raise Refused where MLflow shows another version in the target than the record: neither is known to be bad.

    A first attempt may have moved the good one there already.
    """
    ours = {good.version} if context.task.attempts > 1 else set()
    if others := sorted(_shown_versions(context, target) - _recorded_versions(context, target) - ours):
        shown = f"MLflow shows version {' and '.join(map(str, others))} of {context.model} in {target.stage}"
        compare = f"have it compared first: registrar send registry.reconcile model={context.model}"
        raise Refused(f"{shown}, and the record version {bad}: it was changed by hand; {compare}")


def _recorded_versions(context: TaskContext, target: Target) -> set[int]:
    """Return the versions in a target by the record, also those recorded beside its holder."""
    kind, key = holding_key(context.policy.model(context.model), target)
    with context.ledger.read() as connection:
        holders = held_now(connection, context.model, kind)
    return {holder.version for holder in holders if holder.key == key}


def _shown_versions(context: TaskContext, target: Target) -> set[int]:
    """Return the versions in an exclusive target by MLflow."""
    if context.policy.model(context.model).mode == "aliases":
        holder = context.registry.by_alias(context.model, target.alias or "")
        return {holder.version} if holder else set()
    if not target.exclusive:
        return set()
    return {version.version for version in take_snapshot(context, context.model).versions.get(target.stage, [])}


def _choose_target(context: TaskContext, target: Target, bad: int, earlier: list[PastHolding]) -> Version:
    """Return the version to go back to. Raises Refused where no earlier holder is usable, or the named one is not."""
    if (to := context.param("to")) is not None:
        return _choose_named(context, target, bad, earlier, int(to))
    version, passed_over = find_rollback_target(context, context.model, target, earlier)
    if version is None:
        tried = f" ({'; '.join(passed_over)})" if passed_over else ""
        none = f"{context.model} has no earlier version in {target.stage} to go back to from version {bad}{tried}"
        raise Refused(f"{none}: {_alternatives(context, target, earlier)}")
    return version


def _choose_named(context: TaskContext, target: Target, bad: int, earlier: list[PastHolding], to: int) -> Version:
    if to == bad:
        raise Refused(f"{context.model} version {to} holds {target.stage} already: name an earlier one")
    version, why = check_named_target(context, context.model, target, earlier, number=to)
    if version is None:
        raise Refused(f"{context.model} can't go back to version {to} in {target.stage}: it {why}")
    return version


def _alternatives(context: TaskContext, target: Target, earlier: list[PastHolding]) -> str:
    """Return what a person can do where no version is chosen automatically."""
    if numbers := nameable_targets(context, context.model, target, earlier):
        model, stage = quoted_model(context.model), "" if target.stage == "Production" else target.stage
        chat = " ".join(filter(None, ("rollback", model, stage.lower(), "to", str(numbers[0]), "WHY")))
        web = f"registrar rollback {model}{f' --target {stage}' if stage else ''} --to {numbers[0]} --reason WHY"
        event = f"model.rollback with to: {numbers[0]}"
        instruction = pick_instruction(context, chat=chat, web=web, event=event)
        return f"version {' or '.join(map(str, numbers))} can be named: {instruction}"
    return "promote a good version, or lift the quarantine of one that is good after all (quarantine.lift)"
