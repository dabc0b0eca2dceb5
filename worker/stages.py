"""Moving a version between stages, its alias with it, and saying so where people look.

Each step looks first, so that doing it again after a crash changes nothing; then what it left is read back.
"""

from datetime import datetime

from registrar.ledger.history import Held, Released
from registrar.outcome import Fact, FollowUp, Outcome, Record
from worker.door import Retryable, Version
from worker.work import Work

DESCRIPTION_LINES = 20  # MLflow's column ends at 5,000 characters: older lines about moves make room


def move(
    work: Work, version: Version, stage: str, *, reason: str | None = None, follow_ups: tuple[FollowUp, ...] = ()
) -> Outcome:
    """Bring a version to a stage, give it the target's alias, take its other targets' aliases away.

    The outcome archives whoever else holds an exclusive stage, one by one, before anything else of this lane.
    """
    policy = work.policy.model(version.model)
    target = policy.target(stage)
    foreign = {t.alias for t in policy.targets if t.alias and t.stage != stage}
    if version.stage != stage:
        work.registry.set_stage(version.model, version.version, stage)
    if target and target.alias and target.alias not in version.aliases:
        work.registry.set_alias(version.model, target.alias, version.version)
    for left in sorted(foreign & set(version.aliases)):
        work.registry.drop_alias(version.model, left)
    _describe(work, version, stage)
    alias = target.alias if target else None
    _verify(work, version, stage, alias)
    others = _other_holders(work, version, stage) if target and target.exclusive else []
    fact = _fact(work, version, stage, alias, reason)
    return Outcome(
        summary=fact.text,
        facts=(fact,),
        follow_ups=(*(_replace(other, stage, version) for other in others), *follow_ups),
        records=_records(version, stage, alias, foreign),
    )


def transitioned(version: Version, stage: str, at: datetime, who: str) -> str:
    """The line of the description that says so. `at` is the event's time: the same on every attempt."""
    return f"version {version.version} was transitioned to {stage} on {at:%Y-%m-%d %H:%M} UTC by {who}"


def _describe(work: Work, version: Version, stage: str) -> None:
    line = transitioned(version, stage, work.task.accepted_at, work.who)
    lines = [old for old in version.description.split("\n") if old]
    if line in lines:
        return
    moves = [old for old in lines if " was transitioned to " in old]
    dropped = set(moves[: max(0, len(moves) + 1 - DESCRIPTION_LINES)])
    kept = [old for old in lines if old not in dropped]
    work.registry.set_description(version.model, version.version, "\n".join([*kept, line]))


def _verify(work: Work, version: Version, stage: str, alias: str | None) -> None:
    left = work.registry.version(version.model, version.version)
    if left.stage != stage or (alias and alias not in left.aliases):
        found = f"{left.stage} with {', '.join(f'@{a}' for a in left.aliases) or 'no alias'}"
        raise Retryable(f"{version} should be in {stage} now, but is in {found}: somebody else moved it meanwhile")


def _other_holders(work: Work, version: Version, stage: str) -> list[Version]:
    found = work.registry.versions(version.model)
    return [other for other in found if other.stage == stage and other.version != version.version]


def _replace(other: Version, stage: str, by: Version) -> FollowUp:
    return FollowUp("worker.archive", {"version": other.version, "held": stage, "replaced_by": by.version})


def _records(version: Version, stage: str, alias: str | None, foreign: set[str]) -> tuple[Record, ...]:
    """An exclusive stage's former holder is released by its own archiving, when that is done."""
    model, number = version.model, version.version
    dropped = [Released(model, "alias", number, key) for key in sorted(foreign)]
    left = Released(model, "stage", number, keep=stage)
    held: list[Record] = [] if stage == "None" else [Held(model, "stage", stage, number)]
    if alias:
        held.append(Held(model, "alias", alias, number, alone=True))
    return (left, *dropped, *held)


def _fact(work: Work, version: Version, stage: str, alias: str | None, reason: str | None) -> Fact:
    details = {"from": version.stage, "stage": stage, "alias": alias, "run_id": version.run_id, "by": work.who}
    named = f" (@{alias})" if alias else ""
    because = f": {reason}" if reason else ""
    if stage == "Archived":
        text = f"{version} was archived by {work.who}{because}"
        return Fact("model_version.archived", text, version.model, version.version, details)
    text = f"{version} is in {stage}{named}, by {work.who}{because}"
    return Fact("model_version.transitioned", text, version.model, version.version, details)
