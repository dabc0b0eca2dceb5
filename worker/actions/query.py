"""worker.query, on registry.query: a person's question, answered in chat."""

from registrar.outcome import Outcome
from registrar.vocabulary import RegistryQuery
from worker import queries
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(RegistryQuery)
    return Outcome(_answer(work, data).as_text())


def _answer(work: Work, data: RegistryQuery) -> queries.Table:
    match data.question:
        case "experiments":
            return queries.experiments(work.registry, work.now)
        case "models":
            return queries.models(work.registry, work.now)
        case "versions":
            return queries.versions(work.registry, work.now, model=data.model or "")
        case "history":
            return queries.history(work.ledger, model=data.model or "")
        case "runs":
            return queries.runs(
                work.registry,
                work.now,
                experiment=data.experiment or "",
                filter_string=data.filter_string,
                order_by=data.order_by,
                max_results=data.max_results,
            )
