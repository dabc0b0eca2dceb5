"""/find: from an id, or the name of a model, to its page."""

from flask import Blueprint, redirect, request, url_for
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response as Base

from registrar.ledger.queries import models
from registrar.ledger.tables import events, promotions, tasks
from webhooks.dashboard.context import DashboardContext, readable
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/find")
    def find() -> Base:
        context.require_principal()
        sought = request.args.get("q", "").strip()
        if not sought:
            return redirect(url_for("pages.events"), code=303)
        with context.ledger.read() as connection:
            found = _page(connection, sought)
        if found is None:
            raise NotFound(
                f"nothing is called {clean(sought)}: it takes the whole id of an event, a task or a "
                "promotion, or the name of a model"
            )
        return redirect(found, code=303)


def _page(connection: Connection, sought: str) -> str | None:
    if readable(sought):
        if event_id := _event(connection, sought):
            return url_for("pages.event", event_id=event_id)
        if connection.execute(select(promotions.c.id).where(promotions.c.id == sought)).first():
            return url_for("pages.promotion", promotion_id=sought)
    if sought.isprintable() and len(sought) <= 250 and models.get_model(connection, sought):
        return url_for("pages.model", name=sought)
    return None


def _event(connection: Connection, sought: str) -> str | None:
    for query in (
        select(events.c.id).where(events.c.id == sought),
        select(tasks.c.event_id).where(tasks.c.id == sought),
    ):
        if found := connection.execute(query).scalar():
            return str(found)
    return None
