"""worker.reconcile, on registry.reconcile: every stage and alias of a model against the record.

All versions are read, whatever was seen of them before: the looks that follow go on from this one.
"""

from dataclasses import replace

from registrar.outcome import Outcome
from registrar.vocabulary import RegistryReconcile
from worker.promotion import drift, in_stage
from worker.work import Work


def act(work: Work) -> Outcome:
    work.data_as(RegistryReconcile)
    found = work.registry.recent(work.model)
    stages = in_stage.exclusive(work.policy.model(work.model))
    looked = in_stage.of(work.model, stages, found.versions, found.at).records
    told = drift.told(drift.of_everything(work, found.versions), f"{work.model} is in MLflow as the record has it")
    return replace(told, records=(*told.records, *looked))
