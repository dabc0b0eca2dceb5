"""/audit: the journal's newest entries and its head, the hash over all. /audit/export: the journal as a file."""

import re

from flask import Blueprint, Response, request

from registrar.ledger.queries import event_context
from registrar.queries.local import LocalQueries
from webhooks.api.journal_export import CONTENT_TYPES, FORMS, Exports
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext

MOST = 100


def register(pages: Blueprint, context: DashboardContext) -> None:
    exports, queries = Exports(), LocalQueries(context.ledger, lambda: context.policy)

    @pages.get("/audit")
    def audit() -> str:
        principal, model = context.require_principal(), query_params.text("model")
        with context.ledger.read() as connection:
            entries = event_context.newest(connection, model=model or None, limit=MOST)
            head = event_context.head(connection)
        return context.page("audit.html", principal, entries=entries, head=head, model=model, most=MOST)

    @pages.get("/audit/export")
    def export() -> Response:
        """Stream the journal, or the part that the form selects, oldest first."""
        principal = context.require_principal()
        form, model = query_params.one_of("format", FORMS) or "jsonl", query_params.text("model") or None
        entries = queries.audit(model=model, since=query_params.time("since"), until=query_params.time("until"))
        if request.method == "HEAD":
            return Response(content_type=CONTENT_TYPES[form])
        return exports.answer(entries, form, principal, name=_name(model))


def _name(model: str | None) -> str:
    """Return the file's name, with the model's if that is safe in a file name."""
    return f"journal-{model}" if model and re.fullmatch("[A-Za-z0-9._-]{1,100}", model) else "journal"
