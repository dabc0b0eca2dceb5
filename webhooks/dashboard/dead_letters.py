"""/dead: tasks that failed for good. /dead/TASK: one of them, with retry and drop."""

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
            rows = list_dead_letters(connection, model=model or None, before=before, limit=MOST + 1)
        older, first = _older(model, rows[MOST - 1]) if len(rows) > MOST else None, before is None
        return context.page("dead.html", principal, letters=rows[:MOST], model=model, older=older, first=first)

    @pages.get("/dead/<task_id>")
    def dead_letter(task_id: str) -> str:
        principal = context.require_principal()
        return context.page("dead_letter.html", principal, letter=_load_dead_letter(context, task_id))

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
        raise InvalidEvent("before is the end of a page, as in the link to older rows")
    return at, int(seq)


def _older(model: str, last: DeadLetter) -> str | None:
    if last.finished_at is None:
        return None
    filters: dict[str, Any] = {"model": model} if model else {}
    return url_for("pages.dead", **filters, before=query_params.mark(last.finished_at, last.seq))


def _settle(context: DashboardContext, type_: str, task_id: str) -> Response:
    """Submit the command, with the model, for which grants are checked."""
    context.require_principal("operator")
    letter = _load_dead_letter(context, task_id)
    data = {"task_id": task_id, "model": letter["model"], "reason": request.form.get("reason", "").strip()}
    return context.submit_command(type_, data, then=url_for("pages.dead_letter", task_id=task_id))


def _load_dead_letter(context: DashboardContext, task_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    with context.ledger.read() as connection:
        letter = dead_letter_detail(connection, task_id) if readable(task_id) else None
    if letter is None:
        raise NotFound(f"there is no task {clean(task_id)}")
    return letter
