"""Moving a version between stages, its alias with it, and saying so where people look.

Each step looks first, so that doing it again after a crash changes nothing; then what it left is read back. In the mode
`stages` no alias is touched, in the mode `aliases` no stage.
"""

from dataclasses import dataclass
from datetime import datetime

from registrar.ledger.history import Held, Released, holder
from registrar.outcome import Fact, FollowUp, Outcome, Record
from registrar.policy import ModelPolicy, Target
from worker.door import Retryable, Version, present
from worker.promotion import quarantine
from worker.promotion.in_stage import exclusive, seen
from worker.promotion.standing import standing
from worker.work import Work

DESCRIPTION_LINES = 20  # MLflow's column ends at 5,000 characters: older lines about moves make room


@dataclass(frozen=True)
class Step:
    """One version on its way to a stage. target None: a stage that the policy does not govern.

    promotion: the one that brings it there.
    """

    version: Version
    stage: str
    policy: ModelPolicy
    target: Target | None
    promotion: str | None = None

    @property
    def staged(self) -> bool:
        """Whether MLflow's stage is moved."""
        return self.policy.mode != "aliases"

    @property
    def alias(self) -> str | None:
        return self.target.alias if self.target else None

    @property
    def foreign(self) -> set[str]:
        """The aliases of other targets, and the one of whoever was replaced in this: they don't go with the stage."""
        others = {t.alias for t in self.policy.targets if t.alias and t.stage != self.stage}
        return others | ({self.target.previous_alias} if self.target and self.target.previous_alias else set())


def move(
    work: Work,
    version: Version,
    stage: str,
    *,
    reason: str | None = None,
    promotion: str | None = None,
    follow_ups: tuple[FollowUp, ...] = (),
) -> Outcome:
    """Bring a version to a stage, give it the target's alias, take its other targets' aliases away.

    promotion: the one that brings it there; the record's holdings name it.
    The outcome sends whoever else holds an exclusive stage away, one by one, before anything else of this lane.
    """
    policy = work.policy.model(version.model)
    step = Step(version, stage, policy, policy.target(stage), promotion)
    before = _before(work, step)
    _write(work, step)
    _describe(work, version, stage)
    _verify(work, step)
    previous = _name_previous(work, step, before)
    look = seen(work, version.model) if stage in exclusive(policy) else None
    others = look.others(stage, version) if look else []
    fact = _fact(work, step, reason, before)
    return Outcome(
        summary=fact.text,
        facts=(fact,),
        follow_ups=(*(_replace(other, step) for other in others), *follow_ups),
        records=(*_records(step), *previous, *(look.records if look else ())),
    )


def transitioned(version: Version, stage: str, at: datetime, who: str) -> str:
    """The line of the description that says so. `at` is the event's time: the same on every attempt."""
    return f"version {version.version} was transitioned to {stage} on {at:%Y-%m-%d %H:%M} UTC by {who}"


def _write(work: Work, step: Step) -> None:
    version = step.version
    if step.staged and version.stage != step.stage:
        work.registry.set_stage(version.model, version.version, step.stage)
    if step.alias and step.alias not in version.aliases:
        work.registry.set_alias(version.model, step.alias, version.version)
    for left in sorted(step.foreign & set(version.aliases)):
        work.registry.drop_alias(version.model, left)


def _before(work: Work, step: Step) -> int | None:
    """Who held the target before, by the record: it changes at the end alone, so a second attempt finds the same."""
    if not step.target:
        return None
    kind, key = ("stage", step.stage) if step.staged else ("alias", step.alias or "")
    with work.ledger.read() as connection:
        found = holder(connection, step.version.model, kind, key)
    return None if found == step.version.version else found


def _name_previous(work: Work, step: Step, before: int | None) -> tuple[Record, ...]:
    """The one that was replaced gets the alias that says so, unless it was sent away for being bad."""
    name = step.target.previous_alias if step.target else None
    if not name or before is None:
        return ()
    former = present(work.registry, step.version.model, before)
    if former is None or quarantine.why(work.ledger, former):
        return ()
    if name not in former.aliases:
        work.registry.set_alias(former.model, name, before)
    return (Held(former.model, "alias", name, before, alone=True),)


def _describe(work: Work, version: Version, stage: str) -> None:
    line = transitioned(version, stage, work.task.accepted_at, work.who)
    lines = [old for old in version.description.split("\n") if old]
    if line in lines:
        return
    moves = [old for old in lines if " was transitioned to " in old]
    dropped = set(moves[: max(0, len(moves) + 1 - DESCRIPTION_LINES)])
    kept = [old for old in lines if old not in dropped]
    work.registry.set_description(version.model, version.version, "\n".join([*kept, line]))


def _verify(work: Work, step: Step) -> None:
    version = step.version
    left = work.registry.version(version.model, version.version)
    if (step.staged and left.stage != step.stage) or (step.alias and step.alias not in left.aliases):
        found = f"{left.stage} with {', '.join(f'@{a}' for a in left.aliases) or 'no alias'}"
        raise Retryable(f"{version} should be in {step.stage} now, but is in {found}: somebody else moved it meanwhile")


def _replace(other: Version, step: Step) -> FollowUp:
    args = {"version": other.version, "held": step.stage, "replaced_by": step.version.version}
    return FollowUp("worker.archive", args)


def _records(step: Step) -> tuple[Record, ...]:
    """An exclusive stage's former holder is released by its own archiving, when that is done."""
    model, number = step.version.model, step.version.version
    records: list[Record] = [Released(model, "alias", number, key) for key in sorted(step.foreign)]
    if step.staged:
        records.append(Released(model, "stage", number, keep=step.stage))
    if step.staged and step.stage != "None":
        records.append(Held(model, "stage", step.stage, number, promotion=step.promotion))
    if step.alias:
        records.append(Held(model, "alias", step.alias, number, alone=True, promotion=step.promotion))
    return tuple(records)


def _fact(work: Work, step: Step, reason: str | None, before: int | None) -> Fact:
    version, stage, alias = step.version, step.stage, step.alias
    details = {
        "from": standing(step.policy, version),
        "stage": stage,
        "alias": alias,
        "previous_version": before,
        "run_id": version.run_id,
        "commit": version.tags.get("registrar.commit"),
        "by": work.who,
    }
    because = f": {reason}" if reason else ""
    if stage == "Archived":
        text = f"{version} was archived by {work.who}{because}"
        return Fact("model_version.archived", text, version.model, version.version, details)
    where = f"{stage} (@{alias})" if alias else stage
    text = f"{version} is in {where}, by {work.who}{because}"
    return Fact("model_version.transitioned", text, version.model, version.version, details)
