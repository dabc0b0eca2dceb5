"""/audit: the journal's newest entries, and its head, the hash over all of it. /audit/export: the journal as a file."""

import re
from typing import get_args

from flask import Blueprint, Response, request

from registrar.ledger.queries import event_context
from registrar.queries.local import LocalQueries
from webhooks.api.journal_export import CONTENT_TYPES, Exports, Form
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import InvalidEvent

MOST = 100


def register(pages: Blueprint, context: DashboardContext) -> None:
    exports, reading = Exports(), LocalQueries(context.ledger, lambda: context.policy)

    @pages.get("/audit")
    def audit() -> str:
        principal, model = context.require_principal(), query_params.text("model")
        with context.ledger.read() as connection:
            found = event_context.newest(connection, model=model or None, limit=MOST)
            head = event_context.head(connection)
        return context.page("audit.html", principal, found=found, head=head, model=model, most=MOST)

    @pages.get("/audit/export")
    def export() -> Response:
        """Stream the journal, or the part that the form asks for, oldest first."""
        principal = context.require_principal()
        form, model = _form(), query_params.text("model") or None
        found = reading.audit(model=model, since=query_params.time("since"), until=query_params.time("until"))
        if request.method == "HEAD":
            return Response(content_type=CONTENT_TYPES[form])
        return exports.answer(found, form, principal, name=_name(model))


def _form() -> Form:
    """Raises InvalidEvent."""
    for form in get_args(Form):
        if request.args.get("format", "jsonl") == form:
            return form  # type: ignore[no-any-return]
    raise InvalidEvent(f"format is one of {', '.join(get_args(Form))}")


def _name(model: str | None) -> str:
    """Return the file's name, with the model's if that is a safe one."""
    return f"journal-{model}" if model and re.fullmatch("[A-Za-z0-9._-]{1,100}", model) else "journal"
