"""worker.reconcile, on registry.reconcile: compare every stage and alias of a model with the record.

All versions are read, and later snapshots continue from this one. Versions of the record that no search shows are read
by number. Where MLflow and the record contradict each other, nothing is recorded or moved: an operator has to say which
one counts.
"""

from dataclasses import replace

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryReconcile
from registrar.ledger.holders import held_now
from worker.promotions import disputes, drift, stage_occupancy
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
    return replace(outcome, records=(*outcome.records, *snapshot, *settled))
