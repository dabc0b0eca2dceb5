"""worker.query, on registry.query: answer a question, in a text for chat and in rows or a plan for programs."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryQuery
from registrar.http.page_links import MlflowLinks, version_page
from worker.answers import answer
from worker.task_context import TaskContext

# Characters of an answer's JSON, which is kept in the record: 200 runs or versions with a few metrics take less.
LARGEST = 200_000


def act(context: TaskContext) -> Outcome:
    data = context.data_as(RegistryQuery)
    if data.question == "fetch":
        return Outcome(_links(context))
    found = answer(context, data)
    return Outcome(found.text, answer=_bounded(found.content))


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


def _bounded(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as JSON has it, without the last rows that are too many for the record; `more` counts them."""
    sent: dict[str, Any] = json.loads(json.dumps(content, default=datetime.isoformat))
    while len(json.dumps(sent)) > LARGEST and sent.get("rows"):
        kept = len(sent["rows"]) // 2
        sent["more"] += len(sent["rows"]) - kept
        sent["values"] = sent["values"][:kept]
        for holder in (sent, sent.get("plan", {})):
            holder["rows"] = holder.get("rows", [])[:kept]
    return sent
