"""worker.revert_drift, after drift that the policy reverts: undo changes made by hand, by the record.

Each step reads before it writes, so a repetition after a crash changes nothing; versions that are gone are skipped.
As it may run late, it checks each version again: none moves where the record no longer has it or another version is
now, if it is quarantined, or if its files are not those that were approved. The outcome says so.
"""

from dataclasses import dataclass, field

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.ledger.holders import Holder, HoldingEnded, HoldingStarted, PastHolding, held_before, held_now
from registrar.ledger.journal.changes_by_hand import DriftReverted
from worker.promotions import version_state
from worker.promotions.evidence import files_were_rewritten
from worker.promotions.stage_occupancy import exclusive_stages, take_snapshot
from worker.registry.entities import Version
from worker.registry.protocol import find_version
from worker.task_context import TaskContext


@dataclass
class RevertResult:
    """The results of the steps. sentences: one for each. untouched: facts about steps that were not made. records: of
    ended holdings and reverted moves.
    """

    sentences: list[str] = field(default_factory=list)
    untouched: list[Fact] = field(default_factory=list)
    records: list[LedgerChange] = field(default_factory=list)


def act(context: TaskContext) -> Outcome:
    result = RevertResult()
    if alias := context.param("alias"):
        if context.param("version") is None:
            _drop_alias(context, result, str(alias))
        else:
            _restore_alias(context, result, str(alias), context.version)
    for number, stage in context.param("stages") or ():
        _restore_stage(context, result, number, str(stage))
    return Outcome("; ".join(result.sentences), facts=tuple(result.untouched), records=tuple(result.records))


def _restore_alias(context: TaskContext, result: RevertResult, alias: str, number: int) -> None:
    version = find_version(context.registry, context.model, number)
    if version is None:
        result.sentences.append(f"version {number} is gone")
    elif Holder(alias, number) not in _recorded(context, "alias"):
        result.sentences.append(f"@{alias} of {context.model} stays: the record no longer has it at {version}")
    elif alias not in version.aliases and (
        why := _quarantined(context, version) or _not_approved(context, version, alias)
    ):
        _untouched(
            result, version, f"@{alias} of {context.model} is not put back: {why}", *_as_it_is(context, alias, number)
        )
    else:
        if alias not in version.aliases:
            context.registry.set_alias(context.model, alias, number)
        _back(result, version, f"@{alias} of {context.model} points at version {number} again")


def _as_it_is(context: TaskContext, alias: str, number: int) -> tuple[LedgerChange, ...]:
    """Return the records of the alias' present holder. It stays, as clients that load by the alias need a model."""
    released = HoldingEnded(context.model, "alias", number, alias)
    current = context.registry.by_alias(context.model, alias)
    return (
        (released, HoldingStarted(context.model, "alias", alias, current.version, alone=True))
        if current
        else (released,)
    )


def _drop_alias(context: TaskContext, result: RevertResult, alias: str) -> None:
    """Remove an alias that no version holds by the record."""
    if alias in {held.key for held in _recorded(context, "alias")}:
        result.sentences.append(f"@{alias} of {context.model} stays: the record has it again")
        return
    if context.registry.by_alias(context.model, alias):
        context.registry.drop_alias(context.model, alias)
    result.sentences.append(f"@{alias} of {context.model} points at nothing again")


def _restore_stage(context: TaskContext, result: RevertResult, number: int, stage: str) -> None:
    version = find_version(context.registry, context.model, number)
    if version is None:
        result.sentences.append(f"version {number} is gone")
        return
    recorded = _recorded(context, "stage")
    if version.stage != stage and Holder(version.stage, number) in recorded:
        result.sentences.append(f"{version} stays in {version.stage}: the record has it there now")
    elif stage != "None" and Holder(stage, number) not in recorded:
        result.sentences.append(f"{version} stays in {version.stage}: the record no longer has it in {stage}")
    elif version.stage != stage and (why := _barred(context, version, stage)):
        _untouched(
            result, version, f"{version} is not put back in {stage}: {why}", *_sent_away(context, version, stage)
        )
    else:
        if version.stage != stage:
            context.registry.set_stage(context.model, number, stage)
        _back(result, version, f"{version} is in {stage} again")


def _barred(context: TaskContext, version: Version, stage: str) -> str | None:
    """Return why a version may not go back into a stage, for people."""
    if banned := _banned(context, version, stage):
        return banned
    is_exclusive = stage in exclusive_stages(context.policy.model(context.model))
    others = take_snapshot(context, context.model).others(stage, version) if is_exclusive else []
    return f"version {others[0].version} is there" if others else None


def _banned(context: TaskContext, version: Version, stage: str) -> str | None:
    """Return why a version may not be in a stage, whichever others are, for people."""
    if not context.policy.model(context.model).target(stage):
        return None
    return version_state.quarantine_reason(context.ledger, version) or _not_admitted(context, version, "stage", stage)


def _not_approved(context: TaskContext, version: Version, alias: str) -> str | None:
    why = _not_admitted(context, version, "alias", alias)
    return f"of {version}, {why}" if why else None


def _not_admitted(context: TaskContext, version: Version, kind: str, key: str) -> str | None:
    """Return why a version is not the one that was admitted to a stage or alias, for people."""
    with context.ledger.read() as connection:
        holdings = held_before(connection, context.model, kind, key)
    held = next((each for each in holdings if each.still and each.version == version.version), None)
    if held and not held.is_of(version.incarnation(context.registry.address)):
        return "another version had that number when it was let in"
    return "its files are not those that were approved" if held and _rewritten(context, version, held, key) else None


def _rewritten(context: TaskContext, version: Version, held: PastHolding, key: str) -> bool:
    policy = context.policy.model(context.model)
    target = next((one for one in policy.targets if key in (one.stage, one.alias)), None)
    return target is not None and files_were_rewritten(context, version, target, held)


def _sent_away(context: TaskContext, version: Version, stage: str) -> tuple[LedgerChange, ...]:
    """Take a version that is banned from its recorded stage out of another target, and return the records: its holding
    ends; where it is in a stage without a target, it stays there, and a holding of that begins.
    """
    if not _banned(context, version, stage):
        return ()
    released = HoldingEnded(context.model, "stage", version.version, stage)
    if context.policy.model(context.model).target(version.stage):
        context.registry.set_stage(context.model, version.version, "None")
    elif version.stage != "None":
        return released, HoldingStarted(context.model, "stage", version.stage, version.version)
    return (released,)


def _quarantined(context: TaskContext, version: Version) -> str | None:
    why = version_state.quarantine_reason(context.ledger, version)
    return f"{version} {why.removeprefix('it ')}" if why else None


def _recorded(context: TaskContext, kind: str) -> list[Holder]:
    with context.ledger.read() as connection:
        return held_now(connection, context.model, kind)


def _back(result: RevertResult, version: Version, text: str) -> None:
    """Note a reverted move, also where an earlier attempt has made it."""
    result.sentences.append(text)
    result.records.append(DriftReverted(version.model, version.version, text))


def _untouched(result: RevertResult, version: Version, text: str, *records: LedgerChange) -> None:
    result.sentences.append(text)
    result.untouched.append(
        Fact(FactType.REGISTRY_CHANGED_BY_HAND, text, version.model, version.version, {"reverted": False})
    )
    result.records += records
