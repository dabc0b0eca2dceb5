"""/dead: tasks that failed for good. /dead/TASK: one task's history; retry and drop."""

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.ledger.dead_letters import DeadLetter, list_dead_letters
from registrar.ledger.queries.event_status import dead_letter_detail
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import InvalidEvent, NotFound
from webhooks.ingress.validation import clean

MOST = 100


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/dead", endpoint="dead")
    def dead_letters() -> str:
        principal, model, before = context.require_principal(), query_params.text("model"), _before()
        with context.ledger.read() as connection:
            found = list_dead_letters(connection, model=model or None, before=before, limit=MOST + 1)
        older = _older(model, found[MOST - 1]) if len(found) > MOST else None
        return context.page("dead.html", principal, found=found[:MOST], model=model, older=older, first=before is None)

    @pages.get("/dead/<task_id>")
    def dead_letter(task_id: str) -> str:
        principal = context.require_principal()
        return context.page("dead_letter.html", principal, found=_load_dead_letter(context, task_id))

    @pages.post("/dead/<task_id>/retry")
    def retry(task_id: str) -> Response:
        return _settle(context, "task.retry", task_id)

    @pages.post("/dead/<task_id>/drop")
    def drop(task_id: str) -> Response:
        return _settle(context, "task.drop", task_id)


def _before() -> tuple[datetime, int] | None:
    """Raises InvalidEvent."""
    if (moment := query_params.moment("before")) is None:
        return None
    at, seq = moment
    if not re.fullmatch("[0-9]{1,18}", seq):
        raise InvalidEvent("before is the end of a page, as the link to older ones has it")
    return at, int(seq)


def _older(model: str, last: DeadLetter) -> str | None:
    kept: dict[str, Any] = {"model": model} if model else {}
    return (
        url_for("pages.dead", **kept, before=query_params.mark(last.finished_at, last.seq))
        if last.finished_at
        else None
    )


def _settle(context: DashboardContext, type_: str, task_id: str) -> Response:
    """Submit the command. It names the model, by which grants are checked."""
    context.require_principal("operator")
    found = _load_dead_letter(context, task_id)
    data = {"task_id": task_id, "model": found["model"], "reason": request.form.get("reason", "").strip()}
    return context.submit_command(type_, data, then=url_for("pages.dead_letter", task_id=task_id))


def _load_dead_letter(context: DashboardContext, task_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    with context.ledger.read() as connection:
        found = dead_letter_detail(connection, task_id) if readable(task_id) else None
    if found is None:
        raise NotFound(f"there is no task {clean(task_id)}")
    return found
