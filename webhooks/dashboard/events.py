"""/events: a search, page by page. /events/ID: an event, its tasks, and replay. /rejections: requests refused."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.resend_rules import ResendRefused, data_to_resend
from registrar.events.types import VOCABULARY
from registrar.ledger import rejections as rejection_rows
from registrar.ledger.engine import now
from registrar.ledger.queries import event_context, event_search, event_status
from registrar.ledger.queries.event_search import EventFilter
from registrar.ledger.queries.find import archive_location
from registrar.policy.document import OURSELVES, WEB
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import InvalidEvent, NotFound
from webhooks.ingress.validation import clean

MOST, MOST_REJECTIONS = 50, 100
_FILTERS = ("source", "type", "model", "actor", "state", "since", "until")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/events")
    def events() -> str:
        principal = context.require_principal()
        filters = {name: query_params.text(name) for name in _FILTERS}
        sought, before = _event_filter(filters), query_params.number("before")
        with context.ledger.read() as connection:
            found = event_search.search(connection, sought, before=before, limit=MOST + 1)
        return context.page(
            "events.html",
            principal,
            filters=filters,
            filtered=any(filters.values()),
            first=before is None,
            found=found[:MOST],
            older=_older(filters, found),
            types=sorted(VOCABULARY),
            sources=[*context.policy.sources, WEB, OURSELVES],
            states=event_search.STATES,
        )

    @pages.get("/events/<event_id>")
    def event(event_id: str) -> str:
        principal = context.require_principal()
        with context.ledger.read() as connection:
            found = event_status.event(connection, event_id) if readable(event_id) else None
            gone = archive_location(connection, event_id) if found is None and readable(event_id) else None
            about = event_context.event(connection, event_id) if found else None
        if gone:
            raise NotFound(f"{event_id} was archived on {gone.started_at:%Y-%m-%d}: registrar archive show {event_id}")
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        return context.page(
            "event.html", principal, found=found, about=about, replay=_replay(context, found), now=now()
        )

    @pages.post("/events/<event_id>/replay")
    def replay(event_id: str) -> Response:
        """Submit the command. It names the model, by which grants are checked."""
        context.require_principal("operator")
        with context.ledger.read() as connection:
            found = event_status.event(connection, event_id) if readable(event_id) else None
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}")
        data = {"event_id": event_id, "model": found["model"], "reason": request.form.get("reason", "").strip()}
        then = url_for("pages.event", event_id=event_id)
        if request.form.get("plan") == "yes":
            return context.submit_command("event.replay", {**data, "plan": True}, then=then, what="plan")
        return context.submit_command("event.replay", data, then=then)

    @pages.get("/rejections")
    def rejections() -> str:
        principal, before = context.require_principal(), query_params.number("before")
        with context.ledger.read() as connection:
            found = rejection_rows.latest(connection, before=before, limit=MOST_REJECTIONS + 1)
        more = len(found) > MOST_REJECTIONS
        older = url_for("pages.rejections", before=found[MOST_REJECTIONS - 1]["seq"]) if more else None
        shown = found[:MOST_REJECTIONS]
        return context.page("rejections.html", principal, found=shown, older=older, first=before is None)


def _replay(context: DashboardContext, found: dict[str, Any]) -> dict[str, str]:
    """Return the task and description of a replay, or {"no": why it is refused}."""
    try:
        data = data_to_resend(context.policy, WEB, found["type"], found["data"])
    except ResendRefused as error:
        return {"no": str(error)}
    return {"task": VOCABULARY[found["type"]].task.removeprefix("worker."), "doc": (data.__doc__ or "").split("\n")[0]}


def _event_filter(filters: dict[str, str]) -> EventFilter:
    """Raises InvalidEvent."""
    state = filters["state"] or None
    if state not in (None, *event_search.STATES):
        raise InvalidEvent(f"state is one of {', '.join(event_search.STATES)}")
    return EventFilter(
        source=filters["source"] or None,
        type=filters["type"] or None,
        model=filters["model"] or None,
        actor=filters["actor"] or None,
        state=state,
        since=query_params.time("since"),
        until=query_params.time("until"),
    )


def _older(filters: dict[str, str], found: list[dict[str, Any]]) -> str | None:
    if len(found) <= MOST:
        return None
    kept: dict[str, Any] = {name: value for name, value in filters.items() if value}
    return url_for("pages.events", **kept, before=found[MOST - 1]["seq"])
