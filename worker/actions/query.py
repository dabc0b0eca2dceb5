"""worker.query, on registry.query: answer a question, in a text for chat and in rows or a plan for programs."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.events.outcome import Outcome
from registrar.events.types import RegistryQuery
from worker.answers import answer
from worker.task_context import TaskContext

# Characters of an answer's JSON, which is kept in the record: the rows of 200 runs or versions take less.
LARGEST = 200_000


def act(context: TaskContext) -> Outcome:
    found = answer(context, context.data_as(RegistryQuery))
    return Outcome(found.text, answer=_bounded(found.content))


def _bounded(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as JSON has it, without the last rows that are too many for the record; `more` counts them."""
    sent: dict[str, Any] = json.loads(json.dumps(content, default=datetime.isoformat))
    while len(json.dumps(sent)) > LARGEST and sent.get("rows"):
        kept = len(sent["rows"]) // 2
        sent["more"] += len(sent["rows"]) - kept
        for holder in (sent, sent.get("plan", {})):
            holder["rows"] = holder.get("rows", [])[:kept]
    return sent
