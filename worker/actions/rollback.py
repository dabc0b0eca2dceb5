"""worker.rollback, on model.rollback and after a failed deployment: back to the version that really held the stage
before, by the record, or to the earlier holder that is named.

Members of the groups that approve the way there may also go back. The one that holds the stage now is quarantined
first, so that no late event brings it back while this is under way. The record changes at the end alone: tried again
after a crash, this comes to the same version.

It is about the version that held the stage when it was accepted; nothing is quarantined where MLflow shows another.
"""

from dataclasses import replace

from registrar.events.outcome import Fact, Outcome
from registrar.ledger import act_subjects
from registrar.ledger.deployments import get, recorded
from registrar.ledger.holders import PastHolding, held_now
from registrar.ledger.incarnations import known
from registrar.policy import Target
from worker.promotions import quarantine
from worker.promotions.deployments import ask
from worker.promotions.evidence import target_of
from worker.promotions.hints import chat_name, how
from worker.promotions.removal_rules import may_not
from worker.promotions.rollback_target import held, nameable, named, usable
from worker.promotions.stage_occupancy import seen
from worker.promotions.transitions import move
from worker.registry.protocol import Refused, RegistryError, Version, present
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    target, reason = str(work.given("target") or "Production"), str(work.given("reason"))
    failed = work.task.args.get("bad")  # by the policy, after a deployment; nobody asked for it
    if failed is None:
        _permit(work, target)
    holders = held(work.ledger, work.model, work.policy.model(work.model), target_of(work, target))
    if not holders:
        raise Refused(f"the record has no version of {work.model} in {target}: there is nothing to go back from")
    bad, earlier = holders[0].version, holders[1:]
    if failed is not None and (failed != bad or not _deployed(work, holders[0])):
        return Outcome(f"{work.model} version {failed} holds {target} no more; nothing to go back from")
    if failed is None:
        _still_meant(work, target_of(work, target), holders[0])
    good = _good(work, target_of(work, target), bad, earlier)
    _alone(work, target_of(work, target), bad, good)
    moved = _moved(work, good, target, bad, reason)
    text = f"{work.model} was rolled back in {target} from version {bad} to version {good.version}, by {work.who}"
    details = {"from": bad, "to": good.version, "target": target, "reason": reason, "by": work.who}
    fact = Fact("model.rolled_back", f"{text}: {reason}", work.model, good.version, details)
    deployed = ask(work, moved, good, target, on_failure="alert")
    return replace(deployed, summary=fact.text, facts=(fact, *deployed.facts))


def _moved(work: TaskContext, good: Version, target: str, bad: int, reason: str) -> Outcome:
    """Where the good one can't be brought back, the bad one stays, and is free as before."""
    leaving = present(work.registry, work.model, bad)
    quarantined = (quarantine.impose(work, leaving, reason),) if leaving else ()
    try:
        moved = move(work, good, target, reason=f"rolled back from version {bad}: {reason}")
    except RegistryError as error:
        if leaving and work.ends(error):
            quarantine.take_back(work, leaving, reason)
        raise
    return replace(moved, records=(*quarantined, *moved.records))


def _permit(work: TaskContext, stage: str) -> None:
    """Raises Refused for somebody who could not have approved."""
    if these := may_not(work, target_of(work, stage)):
        raise Refused(f"{work.who} may not roll {work.model} back in {stage}; {these}")


def _deployed(work: TaskContext, held: PastHolding) -> bool:
    """Whether what holds the target is what was deployed: another may have got its number meanwhile."""
    with work.ledger.read() as connection:
        asked = get(connection, str(work.task.args["deployment"])) if "deployment" in work.task.args else None
        which = known(connection, work.model, version=held.version)
    noted = recorded(asked, which).noted if asked else None
    return noted is None or held.noted is None or noted.same(held.noted)


def _still_meant(work: TaskContext, target: Target, held: PastHolding) -> None:
    """Raises Refused where another version held the target when it was accepted: nobody called this one bad."""
    pins, bad = work.task.args.get(act_subjects.KEY, {}), held.version
    holders, made = pins.get("holders"), pins.get(act_subjects.MADE, {})
    again = "look at what holds it, and ask again"
    if holders is None:
        raise Refused(f"the version of Registrar that accepted it did not note what held {target.stage} then; {again}")
    by_alias = work.policy.model(work.model).mode == "aliases"
    place = f"@{target.alias}" if by_alias else target.stage
    if (meant := holders.get(place)) != bad:
        came = f"version {bad} of {work.model} came to {target.stage} after {work.who} asked to go back"
        raise Refused(f"{came}, when {f'version {meant}' if meant else 'none'} held it: {again}")
    if held.noted and made.get(place, made_at := held.noted.created_at.isoformat()) != made_at:
        raise Refused(f"version {bad} of {work.model} was another one when {work.who} asked to go back: {again}")


def _alone(work: TaskContext, target: Target, bad: int, good: Version) -> None:
    """Raises Refused where MLflow shows another version in the target than the record: neither is known to be bad.

    A first attempt of ours may have brought the good one there.
    """
    ours = {good.version} if work.task.attempts > 1 else set()
    if others := sorted(_shown(work, target) - _recorded(work, target) - ours):
        found = f"MLflow shows version {' and '.join(map(str, others))} of {work.model} in {target.stage}"
        compare = f"have it compared first: registrar send registry.reconcile model={work.model}"
        raise Refused(f"{found}, and the record version {bad}: it was changed by hand; {compare}")


def _recorded(work: TaskContext, target: Target) -> set[int]:
    """Who is in a target by the record: also what was found there beside its holder."""
    by_alias = work.policy.model(work.model).mode == "aliases"
    with work.ledger.read() as connection:
        found = held_now(connection, work.model, "alias" if by_alias else "stage")
    return {one.version for one in found if one.key == (target.alias if by_alias else target.stage)}


def _shown(work: TaskContext, target: Target) -> set[int]:
    """Who is in an exclusive target by MLflow."""
    if work.policy.model(work.model).mode == "aliases":
        holder = work.registry.by_alias(work.model, target.alias or "")
        return {holder.version} if holder else set()
    return {one.version for one in seen(work, work.model).versions.get(target.stage, [])} if target.exclusive else set()


def _good(work: TaskContext, target: Target, bad: int, earlier: list[PastHolding]) -> Version:
    """Raises Refused where none of the earlier holders will do, or the one that is named won't."""
    if (to := work.given("to")) is not None:
        return _named(work, target, bad, earlier, int(to))
    version, passed_over = usable(work, work.model, target, earlier)
    if version is None:
        tried = f" ({'; '.join(passed_over)})" if passed_over else ""
        none = f"{work.model} has no earlier version in {target.stage} to go back to from version {bad}{tried}"
        raise Refused(f"{none}: {_instead(work, target, earlier)}")
    return version


def _named(work: TaskContext, target: Target, bad: int, earlier: list[PastHolding], to: int) -> Version:
    if to == bad:
        raise Refused(f"{work.model} version {to} holds {target.stage} already: name an earlier one")
    version, why = named(work, work.model, target, earlier, number=to)
    if version is None:
        raise Refused(f"{work.model} can't go back to version {to} in {target.stage}: it {why}")
    return version


def _instead(work: TaskContext, target: Target, earlier: list[PastHolding]) -> str:
    """What can be done where it goes to none by itself."""
    if found := nameable(work, work.model, target, earlier):
        which = f"version {' or '.join(map(str, found))} can be named"
        stage = "" if target.stage == "Production" else target.stage
        chat = " ".join(filter(None, ("rollback", chat_name(work.model), stage.lower(), "to", str(found[0]), "WHY")))
        option = f" --target {stage}" if stage else ""
        web = f"registrar rollback {chat_name(work.model)}{option} --to {found[0]} --reason WHY"
        return f"{which}: {how(work, chat=chat, web=web, event=f'model.rollback with to: {found[0]}')}"
    return "promote a good version, or lift the quarantine of one that is good after all (quarantine.lift)"
