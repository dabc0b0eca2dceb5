"""/find: redirects from an id, or the name of a model, to its page."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as Base

from registrar.ledger.queries.find import Kind, find_record
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/find")
    def find() -> Base:
        context.require_principal()
        text = request.args.get("q", "").strip()
        if not text:
            return redirect(url_for("pages.events"), code=303)
        with context.ledger.read() as connection:
            found = find_record(connection, text)
        if found is None:
            raise NotFound(
                f"nothing is called {clean(text)}: it takes the whole id of an event, a task or a "
                "promotion, or the name of a model"
            )
        return redirect(_address(*found), code=303)


def _address(kind: Kind, id_: str) -> str:
    match kind:
        case "event":
            return url_for("pages.event", event_id=id_)
        case "promotion":
            return url_for("pages.promotion", promotion_id=id_)
        case "model":
            return url_for("pages.model", name=id_)
