"""worker.reconcile, on registry.reconcile: every stage and alias of a model against the record."""

from registrar.outcome import Outcome
from registrar.vocabulary import RegistryReconcile
from worker.promotion import drift
from worker.work import Work


def act(work: Work) -> Outcome:
    work.data_as(RegistryReconcile)
    return drift.told(drift.of_everything(work), f"{work.model} is in MLflow as the record has it")
