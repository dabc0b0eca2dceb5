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
        query = request.args.get("q", "").strip()
        if not query:
            return redirect(url_for("pages.events"), code=303)
        with context.ledger.read() as connection:
            record = find_record(connection, query)
        if record is None:
            raise NotFound(
                f"there is no {clean(query)}: enter the whole id of an event, a task or a promotion, "
                "or the name of a model"
            )
        return redirect(_address(*record), code=303)


def _address(kind: Kind, id_: str) -> str:
    match kind:
        case "event":
            return url_for("pages.event", event_id=id_)
        case "promotion":
            return url_for("pages.promotion", promotion_id=id_)
        case "model":
            return url_for("pages.model", name=id_)
