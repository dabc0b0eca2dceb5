"""worker.rollback, on model.rollback and after a failed deployment: go back to the version that really held the stage
before, by the record, or to a named earlier holder.

Allowed for members of the groups that approve for the target. The present holder is quarantined first, so that no late
event brings it back meanwhile. The record changes only at the end, so a retry after a crash chooses the same version.

It is about the version that held the stage when it was accepted; nothing is quarantined where MLflow shows another.
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
from worker.promotions.approval_request import chat_name, pick_instruction
from worker.promotions.deployments import request_deployment
from worker.promotions.evidence import target_of
from worker.promotions.rollback_target import check_named_target, find_rollback_target, nameable_targets, past_holders
from worker.promotions.stage_occupancy import take_snapshot
from worker.promotions.transition_rules import missing_permission
from worker.promotions.transitions import move
from worker.registry.entities import Version
from worker.registry.protocol import Refused, RegistryError, find_version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    target, reason = str(context.param("target") or "Production"), str(context.param("reason"))
    failed = context.task.args.get("bad")  # set by the policy after a failed deployment; nobody asked for it
    if failed is None:
        _permit(context, target)
    holders = past_holders(
        context.ledger, context.model, context.policy.model(context.model), target_of(context, target)
    )
    if not holders:
        raise Refused(f"the record has no version of {context.model} in {target}: there is nothing to go back from")
    bad, earlier = holders[0].version, holders[1:]
    if failed is not None and (failed != bad or not _is_deployed_version(context, holders[0])):
        return Outcome(f"{context.model} version {failed} holds {target} no more; nothing to go back from")
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
    """Where the good version can't be brought back, the bad one stays, no longer quarantined."""
    leaving = find_version(context.registry, context.model, bad)
    quarantined = (version_state.quarantine(context, leaving, reason),) if leaving else ()
    try:
        moved = move(context, good, target, reason=f"rolled back from version {bad}: {reason}")
    except RegistryError as error:
        if leaving and context.ends(error):
            version_state.undo_quarantine(context, leaving, reason)
        raise
    return replace(moved, records=(*quarantined, *moved.records))


def _permit(context: TaskContext, stage: str) -> None:
    """Raises Refused for an actor who could not have approved."""
    if these := missing_permission(context, target_of(context, stage)):
        raise Refused(f"{context.actor_name} may not roll {context.model} back in {stage}; {these}")


def _is_deployed_version(context: TaskContext, past_holders: PastHolding) -> bool:
    """Return whether the holder is the version that was deployed, and not another one of its number."""
    with context.ledger.read() as connection:
        asked = get(connection, str(context.task.args["deployment"])) if "deployment" in context.task.args else None
        which = known(connection, context.model, version=past_holders.version)
    noted = recorded(asked, which).noted if asked else None
    return noted is None or past_holders.noted is None or noted.same(past_holders.noted)


def _check_holder(context: TaskContext, target: Target, past_holders: PastHolding) -> None:
    """Raises Refused where another version held the target when this was accepted: nobody called this one bad."""
    pins, bad = context.task.args.get(act_subjects.KEY, {}), past_holders.version
    holders, made = pins.get("holders"), pins.get(act_subjects.MADE, {})
    again = "look at what holds it, and ask again"
    if holders is None:
        raise Refused(f"the version of Registrar that accepted it did not note what held {target.stage} then; {again}")
    by_alias = context.policy.model(context.model).mode == "aliases"
    place = f"@{target.alias}" if by_alias else target.stage
    if (meant := holders.get(place)) != bad:
        came = f"version {bad} of {context.model} came to {target.stage} after {context.actor_name} asked to go back"
        raise Refused(f"{came}, when {f'version {meant}' if meant else 'none'} held it: {again}")
    if past_holders.noted and made.get(place, made_at := past_holders.noted.created_at.isoformat()) != made_at:
        raise Refused(
            f"version {bad} of {context.model} was another one when {context.actor_name} asked to go back: {again}"
        )


def _check_undisturbed(context: TaskContext, target: Target, bad: int, good: Version) -> None:
    """Raises Refused where MLflow shows another version in the target than the record: neither is known to be bad.

    A first attempt may have moved the good one there already.
    """
    ours = {good.version} if context.task.attempts > 1 else set()
    if others := sorted(_shown_versions(context, target) - _recorded_versions(context, target) - ours):
        found = f"MLflow shows version {' and '.join(map(str, others))} of {context.model} in {target.stage}"
        compare = f"have it compared first: registrar send registry.reconcile model={context.model}"
        raise Refused(f"{found}, and the record version {bad}: it was changed by hand; {compare}")


def _recorded_versions(context: TaskContext, target: Target) -> set[int]:
    """Return the versions in a target by the record, also those found there beside its holder."""
    by_alias = context.policy.model(context.model).mode == "aliases"
    with context.ledger.read() as connection:
        found = held_now(connection, context.model, "alias" if by_alias else "stage")
    return {one.version for one in found if one.key == (target.alias if by_alias else target.stage)}


def _shown_versions(context: TaskContext, target: Target) -> set[int]:
    """Return the versions in an exclusive target by MLflow."""
    if context.policy.model(context.model).mode == "aliases":
        holder = context.registry.by_alias(context.model, target.alias or "")
        return {holder.version} if holder else set()
    return (
        {one.version for one in take_snapshot(context, context.model).versions.get(target.stage, [])}
        if target.exclusive
        else set()
    )


def _choose_target(context: TaskContext, target: Target, bad: int, earlier: list[PastHolding]) -> Version:
    """Raises Refused where no earlier holder is usable, or the named one is not."""
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
    """Return what can be done where no version is chosen automatically."""
    if found := nameable_targets(context, context.model, target, earlier):
        which = f"version {' or '.join(map(str, found))} can be named"
        stage = "" if target.stage == "Production" else target.stage
        chat = " ".join(filter(None, ("rollback", chat_name(context.model), stage.lower(), "to", str(found[0]), "WHY")))
        option = f" --target {stage}" if stage else ""
        web = f"registrar rollback {chat_name(context.model)}{option} --to {found[0]} --reason WHY"
        return f"{which}: {pick_instruction(context, chat=chat, web=web, event=f'model.rollback with to: {found[0]}')}"
    return "promote a good version, or lift the quarantine of one that is good after all (quarantine.lift)"
