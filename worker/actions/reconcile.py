"""worker.reconcile, on registry.reconcile: every stage and alias of a model against the record."""

from registrar.outcome import Outcome
from registrar.vocabulary import RegistryReconcile
from worker import drift
from worker.work import Work


def act(work: Work) -> Outcome:
    work.data_as(RegistryReconcile)
    found = drift.of_everything(work)
    if not found:
        return Outcome(f"{work.model} is in MLflow as the record has it")
    summary = "; ".join(one.fact.text for one in found)
    records = tuple(record for one in found for record in one.records)
    return Outcome(summary, facts=tuple(one.fact for one in found), records=records)
