"""worker.query, on registry.query: answer a person's question in chat."""

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryQuery
from registrar.http.page_links import MlflowLinks, version_page
from registrar.ledger.queries.models import known_names
from registrar.text.wording import nearest
from worker import lookups
from worker.promotions.plan import plan
from worker.registry.protocol import NotFound
from worker.retention.plan import plan_prune
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistryQuery)
    try:
        return Outcome(_answer(context, data))
    except NotFound as error:
        if data.model is None:
            raise
        raise NotFound(f"{error}{_suggestion(context, data.model)}") from None


def _answer(context: TaskContext, data: RegistryQuery) -> str:
    match data.question:
        case "plan":
            return _plan(context, data)
        case "fetch":
            return _links(context)
        case _:
            return _table(context, data).as_text()


def _suggestion(context: TaskContext, model: str) -> str:
    """Return "; did you mean X?" for a misspelt model, where the record has one that this source may ask about."""
    source = context.policy.sources.get(context.task.source)
    if source is None or _exists(context, model):
        return ""
    with context.ledger.read() as connection:
        names = [name for name in known_names(connection) if name != model and source.grants(RegistryQuery.type, name)]
    near = nearest(model, names)
    return f"; did you mean {near}?" if near else ""


def _exists(context: TaskContext, model: str) -> bool:
    try:
        context.registry.model(model)
    except NotFound:
        return False
    return True


def _links(context: TaskContext) -> str:
    """Return where a version and its files are: a chat takes no files."""
    version = context.named_version
    links = MlflowLinks.from_urls(context.settings.mlflow_uri, context.settings.mlflow_url)
    run = f"{links.run(version.run_id)}/artifacts" if links.run(version.run_id) else None
    found = {
        "page": version_page(context.settings.public_url, version.model, version.version),
        "in MLflow": links.version(version.model, version.version),
        "files of its run": run,
    }
    lines = [f"{name}: {link}" for name, link in found.items() if link]
    return "\n".join([f"{version} is in {version.stage}, from {version.source}", *lines])


def _plan(context: TaskContext, data: RegistryQuery) -> str:
    model, number, stage = data.model or "", data.version or 0, data.target or ""
    planned = plan(context, model, number, stage)
    return "\n".join([f"{model} version {number} to {stage}: {planned.state}", *planned.lines])


def _table(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    match data.question:
        case "experiments":
            return lookups.experiments(context.registry, context.now)
        case "models":
            return lookups.models(context.registry, context.now)
        case "versions":
            return lookups.versions(context.registry, context.now, model=data.model or "")
        case "history" | "dead":
            return _recorded(context, data)
        case "plan_prune":
            return plan_prune(context, data.model or "").table()
        case _:
            return _runs(context, data)


def _recorded(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    if data.question == "dead":
        return lookups.dead(context.ledger, context.now, model=data.model)
    return lookups.history(context.ledger, model=data.model or "")


def _runs(context: TaskContext, data: RegistryQuery) -> lookups.Table:
    return lookups.runs(
        context.registry,
        context.now,
        experiment=data.experiment or "",
        filter_string=data.filter_string,
        order_by=data.order_by,
        max_results=data.max_results,
    )
