"""worker.reconcile, on registry.reconcile: every stage and alias of a model against the record.

All versions are read, whatever was seen of them before: the looks that follow go on from this one. What the record has
and no search shows is asked for by its number before anything is said of it. Where the two tell of different pasts,
nothing is recorded or moved: an operator has to say which counts.
"""

from dataclasses import replace

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryReconcile
from registrar.ledger.holders import held_now
from worker.promotions import disputes, drift, stage_occupancy
from worker.registry.protocol import with_known
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    context.data_as(RegistryReconcile)
    if unsettled := disputes.unsettled_outcome(context):
        return unsettled
    found = context.registry.recent(context.model)
    with context.ledger.read() as connection:
        recorded = [holding.version for holding in held_now(connection, context.model, "stage")]
    versions = with_known(context.registry, context.model, found.versions, recorded)
    drifts = drift.check_model(context, versions)
    settled = disputes.check(context, versions, at=found.at, differs=bool(drifts))
    stages = stage_occupancy.exclusive_stages(context.policy.model(context.model))
    looked = stage_occupancy.snapshot_of(context, context.model, stages, versions, found.at).records
    told = drift.combine(drifts, f"{context.model} is in MLflow as the record has it")
    return replace(told, records=(*told.records, *looked, *settled))
