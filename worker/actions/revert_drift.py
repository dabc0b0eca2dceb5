"""worker.put_back, after a drift that the policy reverts: what was moved by hand goes back where the record has it.

Each step looks first, so that doing it again after a crash changes nothing; what has gone meanwhile is passed over. It
may be done late, after the world has moved on: nobody is put where the record has them no more, where somebody else is
by now, what is quarantined anywhere, or whose files are not those that were approved. That is told.
"""

from dataclasses import dataclass, field

from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.ledger.holders import Holder, HoldingEnded, HoldingStarted, PastHolding, held_before, held_now
from registrar.ledger.journal.interventions_by_hand import PutBack
from worker.promotions import drift, quarantine
from worker.promotions.evidence import rewritten
from worker.promotions.stage_occupancy import exclusive, seen
from worker.registry.protocol import Version, present
from worker.task_context import TaskContext


@dataclass
class RevertResult:
    """said: of each step. untouched: of those that could not be put back. records: what does not hold any more, and
    what was put back.
    """

    said: list[str] = field(default_factory=list)
    untouched: list[Fact] = field(default_factory=list)
    records: list[LedgerChange] = field(default_factory=list)


def act(work: TaskContext) -> Outcome:
    done = RevertResult()
    if alias := work.given("alias"):
        if work.given("version") is None:
            _dropped(work, done, str(alias))
        else:
            _alias(work, done, str(alias), work.version)
    for number, stage in work.given("stages") or ():
        _stage(work, done, number, str(stage))
    return Outcome("; ".join(done.said), facts=tuple(done.untouched), records=tuple(done.records))


def _alias(work: TaskContext, done: RevertResult, alias: str, number: int) -> None:
    version = present(work.registry, work.model, number)
    if version is None:
        done.said.append(f"version {number} is gone")
    elif Holder(alias, number) not in _recorded(work, "alias"):
        done.said.append(f"@{alias} of {work.model} stays: the record has it at {version} no more")
    elif alias not in version.aliases and (why := _quarantined(work, version) or _not_approved(work, version, alias)):
        _untouched(done, version, f"@{alias} of {work.model} is not put back: {why}", *_as_it_is(work, alias, number))
    else:
        if alias not in version.aliases:
            work.registry.set_alias(work.model, alias, number)
        _back(done, version, f"@{alias} of {work.model} points at version {number} again")


def _as_it_is(work: TaskContext, alias: str, number: int) -> tuple[LedgerChange, ...]:
    """Record whom a hand left the alias at. It stays there: who loads by it is not to be left without a model."""
    released = HoldingEnded(work.model, "alias", number, alias)
    current = work.registry.by_alias(work.model, alias)
    return (
        (released, HoldingStarted(work.model, "alias", alias, current.version, alone=True)) if current else (released,)
    )


def _dropped(work: TaskContext, done: RevertResult, alias: str) -> None:
    """An alias that the record gives to nobody."""
    if alias in {held.key for held in _recorded(work, "alias")}:
        done.said.append(f"@{alias} of {work.model} stays: the record has it again")
        return
    if work.registry.by_alias(work.model, alias):
        work.registry.drop_alias(work.model, alias)
    done.said.append(f"@{alias} of {work.model} points at nothing again")


def _stage(work: TaskContext, done: RevertResult, number: int, stage: str) -> None:
    version = present(work.registry, work.model, number)
    if version is None:
        done.said.append(f"version {number} is gone")
        return
    recorded = _recorded(work, "stage")
    if version.stage != stage and Holder(version.stage, number) in recorded:
        done.said.append(f"{version} stays in {version.stage}: the record has it there by now")
    elif stage != "None" and Holder(stage, number) not in recorded:
        done.said.append(f"{version} stays in {version.stage}: the record has it in {stage} no more")
    elif version.stage != stage and (why := _barred(work, version, stage)):
        _untouched(done, version, f"{version} is not put back in {stage}: {why}", *_sent_away(work, version, stage))
    else:
        if version.stage != stage:
            work.registry.set_stage(work.model, number, stage)
        _back(done, version, f"{version} is in {stage} again")


def _barred(work: TaskContext, version: Version, stage: str) -> str | None:
    """Why a version may not go back into a stage, for people."""
    if banned := _banned(work, version, stage):
        return banned
    exclusively = stage in exclusive(work.policy.model(work.model))
    others = seen(work, work.model).others(stage, version) if exclusively else []
    return f"version {others[0].version} is there" if others else None


def _banned(work: TaskContext, version: Version, stage: str) -> str | None:
    """Why a version may be there no more, whoever else is there or not."""
    if not work.policy.model(work.model).target(stage):
        return None
    return quarantine.why(work.ledger, version) or _not_let_in(work, version, "stage", stage)


def _not_approved(work: TaskContext, version: Version, alias: str) -> str | None:
    why = _not_let_in(work, version, "alias", alias)
    return f"of {version}, {why}" if why else None


def _not_let_in(work: TaskContext, version: Version, kind: str, key: str) -> str | None:
    """Why a version is not what was let in there, for people."""
    with work.ledger.read() as connection:
        times = held_before(connection, work.model, kind, key)
    held = next((time for time in times if time.still and time.version == version.version), None)
    if held and not held.is_of(version.incarnation(work.registry.address)):
        return "another version had that number when it was let in"
    return "its files are not those that were approved" if held and _rewritten(work, version, held, key) else None


def _rewritten(work: TaskContext, version: Version, held: PastHolding, key: str) -> bool:
    policy = work.policy.model(work.model)
    target = next((one for one in policy.targets if key in (one.stage, one.alias)), None)
    return target is not None and rewritten(work, version, target, held)


def _sent_away(work: TaskContext, version: Version, stage: str) -> tuple[LedgerChange, ...]:
    """What is banned holds the stage no more, and does not stay where a hand put it past the policy either; elsewhere
    it stays, and that is recorded.
    """
    if not _banned(work, version, stage):
        return ()
    released = HoldingEnded(work.model, "stage", version.version, stage)
    if work.policy.model(work.model).target(version.stage):
        work.registry.set_stage(work.model, version.version, "None")
    elif version.stage != "None":
        return released, HoldingStarted(work.model, "stage", version.stage, version.version)
    return (released,)


def _quarantined(work: TaskContext, version: Version) -> str | None:
    why = quarantine.why(work.ledger, version)
    return f"{version} {why.removeprefix('it ')}" if why else None


def _recorded(work: TaskContext, kind: str) -> list[Holder]:
    with work.ledger.read() as connection:
        return held_now(connection, work.model, kind)


def _back(done: RevertResult, version: Version, text: str) -> None:
    """Written down also where an attempt before this one has done it."""
    done.said.append(text)
    done.records.append(PutBack(version.model, version.version, text))


def _untouched(done: RevertResult, version: Version, text: str, *records: LedgerChange) -> None:
    done.said.append(text)
    done.untouched.append(Fact(drift.FACT, text, version.model, version.version, {"reverted": False}))
    done.records += records
