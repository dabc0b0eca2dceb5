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


def act(work: TaskContext) -> Outcome:
    work.data_as(RegistryReconcile)
    if unsettled := disputes.unsettled(work):
        return unsettled
    found = work.registry.recent(work.model)
    with work.ledger.read() as connection:
        recorded = [holding.version for holding in held_now(connection, work.model, "stage")]
    versions = with_known(work.registry, work.model, found.versions, recorded)
    drifts = drift.of_everything(work, versions)
    settled = disputes.check(work, versions, at=found.at, differs=bool(drifts))
    stages = stage_occupancy.exclusive(work.policy.model(work.model))
    looked = stage_occupancy.of(work, work.model, stages, versions, found.at).records
    told = drift.told(drifts, f"{work.model} is in MLflow as the record has it")
    return replace(told, records=(*told.records, *looked, *settled))
