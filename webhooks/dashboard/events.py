"""/events: a search, page by page. /events/ID: an event, its tasks, and replay. /rejections: refused requests."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.resend_rules import ResendRefused, data_to_resend
from registrar.events.types import VOCABULARY
from registrar.ledger import rejections as rejection_rows
from registrar.ledger.engine import now
from registrar.ledger.queries import event_context, event_search, event_status
from registrar.ledger.queries.find import archive_location
from registrar.policy.document import OURSELVES, WEB
from registrar.queries.filters import EVENT_STATES, EventFilter
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST, MOST_REJECTIONS = 50, 100
_FILTERS = ("source", "type", "model", "actor", "state", "since", "until")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/events")
    def events() -> str:
        principal = context.require_principal()
        filters = {name: query_params.text(name) for name in _FILTERS}
        filter_, before = _event_filter(filters), query_params.number("before")
        with context.ledger.read() as connection:
            rows = event_search.search(connection, filter_, before=before, limit=MOST + 1)
        return context.page(
            "events.html",
            principal,
            filters=filters,
            filtered=any(filters.values()),
            first=before is None,
            events=rows[:MOST],
            older=_older(filters, rows),
            types=sorted(VOCABULARY),
            sources=[*context.policy.sources, WEB, OURSELVES],
            states=EVENT_STATES,
        )

    @pages.get("/events/<event_id>")
    def event(event_id: str) -> str:
        principal = context.require_principal()
        with context.ledger.read() as connection:
            event = event_status.event(connection, event_id) if readable(event_id) else None
            archived = archive_location(connection, event_id) if event is None and readable(event_id) else None
            details = event_context.event(connection, event_id) if event else None
        if archived:
            day = f"{archived.started_at:%Y-%m-%d}"
            raise NotFound(f"{event_id} was archived on {day}: registrar compact show {event_id}")
        if event is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        replay = _replay(context, event)
        return context.page("event.html", principal, event=event, details=details, replay=replay, now=now())

    @pages.post("/events/<event_id>/replay")
    def replay(event_id: str) -> Response:
        """Submit the command, with the model, for which grants are checked."""
        context.require_principal("operator")
        with context.ledger.read() as connection:
            event = event_status.event(connection, event_id) if readable(event_id) else None
        if event is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        data = {"event_id": event_id, "model": event["model"], "reason": request.form.get("reason", "").strip()}
        then = url_for("pages.event", event_id=event_id)
        if request.form.get("plan") == "yes":
            return context.submit_command("event.replay", {**data, "plan": True}, then=then, what="plan")
        return context.submit_command("event.replay", data, then=then)

    @pages.get("/rejections")
    def rejections() -> str:
        principal, before = context.require_principal(), query_params.number("before")
        with context.ledger.read() as connection:
            rows = rejection_rows.latest(connection, before=before, limit=MOST_REJECTIONS + 1)
        has_older = len(rows) > MOST_REJECTIONS
        older = url_for("pages.rejections", before=rows[MOST_REJECTIONS - 1]["seq"]) if has_older else None
        shown = rows[:MOST_REJECTIONS]
        return context.page("rejections.html", principal, rejections=shown, older=older, first=before is None)


def _replay(context: DashboardContext, event: dict[str, Any]) -> dict[str, str]:
    """Return the task and description of a replay, or {"no": why it is refused}."""
    try:
        data = data_to_resend(context.policy, WEB, event["type"], event["data"])
    except ResendRefused as error:
        return {"no": str(error)}
    return {"task": VOCABULARY[event["type"]].task.removeprefix("worker."), "doc": (data.__doc__ or "").split("\n")[0]}


def _event_filter(filters: dict[str, str]) -> EventFilter:
    """Raises InvalidEvent."""
    return EventFilter(
        source=filters["source"] or None,
        type=filters["type"] or None,
        model=filters["model"] or None,
        actor=filters["actor"] or None,
        state=query_params.one_of("state", EVENT_STATES),
        since=query_params.time("since"),
        until=query_params.time("until"),
    )


def _older(filters: dict[str, str], rows: list[dict[str, Any]]) -> str | None:
    if len(rows) <= MOST:
        return None
    active: dict[str, Any] = {name: value for name, value in filters.items() if value}
    return url_for("pages.events", **active, before=rows[MOST - 1]["seq"])
