"""worker.reconcile, on registry.reconcile: compare every stage and alias of a model with the record.

All versions are read, and later snapshots continue from this one. Versions of the record that no search shows are read
by number. Versions that were registered in MLflow, and of which no webhook came, are taken in. Where MLflow and the
record contradict each other, nothing is recorded or moved: an operator has to say which one counts.
"""

from collections.abc import Sequence
from dataclasses import replace

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryReconcile
from registrar.ledger.holders import held_now
from registrar.ledger.version_state import Key
from registrar.text.wording import plural
from worker.promotions import adoption, disputes, drift, stage_occupancy
from worker.registry.entities import Version
from worker.registry.protocol import find_model, with_known
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    context.data_as(RegistryReconcile)
    if unsettled := disputes.unsettled_outcome(context):
        return unsettled
    recent = context.registry.recent(context.model)
    with context.ledger.read() as connection:
        recorded = [holding.version for holding in held_now(connection, context.model, "stage")]
    versions = with_known(context.registry, context.model, recent.versions, recorded)
    model = find_model(context.registry, context.model)
    drifts = drift.check_model(context, model, versions)
    settled = disputes.check(context, model, versions, at=recent.at, differs=bool(drifts))
    stages = stage_occupancy.exclusive_stages(context.policy.model(context.model))
    snapshot = stage_occupancy.snapshot_of(context, context.model, stages, versions, recent.at).records
    outcome = drift.combine(drifts, f"{context.model} is in MLflow as the record has it")
    outcome = replace(outcome, records=(*outcome.records, *snapshot, *settled))
    return _with_new_versions(context, outcome, versions) if versions else outcome


def _with_new_versions(context: TaskContext, outcome: Outcome, versions: Sequence[Version]) -> Outcome:
    """Take in, or announce, the versions that are new to the record. At the first look at a model none is."""
    new = adoption.find_new(context, context.model, versions)
    outcome = replace(outcome, records=(*outcome.records, adoption.watermark_of(context, context.model, versions)))
    if new is None:
        others = sum(Key.EVENT not in version.tags for version in versions)
        there = f"{plural(others, 'version was', 'versions were')} there before this first look"
        told = f"; {there}: `registrar adopt {context.model} --plan`" if others else ""
        return replace(outcome, summary=outcome.summary + told)
    match context.policy.from_mlflow(context.model) if new else "ignore":
        case "adopt":
            named = adoption.numbered([version.version for version in new])
            steps = adoption.steps(version.version for version in new)
            summary = f"{outcome.summary}; new there, and taken in: {named}"
            return replace(outcome, summary=summary, follow_ups=(*outcome.follow_ups, *steps))
        case "tell":
            facts = tuple(map(adoption.by_hand_fact, new))
            summary = "; ".join([outcome.summary, *(fact.text for fact in facts[:1])])
            records = (*outcome.records, *adoption.notice(context, new))
            return replace(outcome, summary=summary, facts=(*outcome.facts, *facts), records=records)
        case _:
            return outcome
