"""worker.adopt, after drift that the policy adopts: complete a move that was made by hand.

A move by hand replaces approval and time gates, but not gates: those of this target and of earlier ones are evaluated,
as the move may have skipped them. A rejected version is not adopted.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.states import PromotionState
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.promotions import latest
from registrar.policy import Target
from worker.promotions import version_state
from worker.promotions.transition_rules import failed_gates
from worker.promotions.transitions import move
from worker.promotions.version_state import current_stage
from worker.registry.entities import Version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    stage = str(context.param("stage"))
    version = context.registry.version(context.model, context.version)
    policy = context.policy.model(context.model)
    target = policy.target(stage)
    still_there = current_stage(policy, version) == stage or (target is not None and target.alias in version.aliases)
    if not still_there:
        return Outcome(f"{version} left {stage} again meanwhile; nothing to adopt")
    barred = version_state.quarantine_reason(context.ledger, version) or _rejected(context, version, stage)
    if why := barred or failed_gates(context, version, stage):
        return _refused(version, stage, target, why)
    moved = move(context, version, stage, reason="it was moved by hand in MLflow, and the policy adopts that")
    # By `adopted` the record knows that a rollback may go to this version (registrar.ledger.holders).
    adopted = replace(moved.facts[0], details={**moved.facts[0].details, "adopted": True})
    records = tuple(_adopted(record, version) for record in moved.records)
    return replace(moved, facts=(adopted, *moved.facts[1:]), records=records)


def _rejected(context: TaskContext, version: Version, stage: str) -> str | None:
    """Return why the version was rejected, for people, where nobody has asked for it again since."""
    of = version.incarnation(context.registry.address)
    with context.ledger.read() as connection:
        last = latest(connection, version.model, version.version, stage, of=of)
    if last is None or last.state != PromotionState.REJECTED:
        return None
    because = f": {last.reason}" if last.reason else ""
    return f"it was rejected{because}, and that stands until somebody asks for it again"


def _adopted(record: LedgerChange, version: Version) -> LedgerChange:
    """Mark the version's holding as adopted, for the journal."""
    if isinstance(record, HoldingStarted) and record.version == version.version:
        return replace(record, adopted=True)
    return record


def _refused(version: Version, stage: str, target: Target | None, why: str) -> Outcome:
    """Return the outcome that records and announces the move as drift: the version stays where it is."""
    text = f"{version} can't be adopted in {stage}: {why}"
    records: list[LedgerChange] = []
    if version.stage == stage:
        records.append(HoldingStarted(version.model, "stage", stage, version.version))
    if target and target.alias and target.alias in version.aliases:
        records.append(HoldingStarted(version.model, "alias", target.alias, version.version, alone=True))
    fact = Fact(
        FactType.REGISTRY_CHANGED_BY_HAND, text, version.model, version.version, {"stage": stage, "reverted": False}
    )
    return Outcome(text, facts=(fact,), records=tuple(records))
