"""/find: leads from an id, a name or the beginning of one to its page, or lists what begins so, by kind."""

from collections.abc import Sequence

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as Base

from registrar.queries.finder import MOST, Hit, Kind, find
from webhooks.dashboard.context import DashboardContext


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/find", endpoint="find")
    def search() -> Base | str | tuple[str, int]:
        principal, query = context.require_principal(), request.args.get("q", "").strip()
        if not query:
            return context.page("find.html", principal, query="", groups={}, near=[], most=MOST)
        with context.ledger.read() as connection:
            findings = find(connection, context.policy, query)
        if only := findings.only:
            return redirect(address(only), code=303)
        shown = {"query": query, "groups": _by_kind(findings.hits), "near": linked(findings.near)}
        return context.page("find.html", principal, most=MOST, **shown), 200 if findings.hits else 404


def linked(hits: Sequence[Hit]) -> list[tuple[Hit, str]]:
    """Return hits with the addresses of their pages."""
    return [(hit, address(hit)) for hit in hits]


def address(hit: Hit) -> str:
    """Return the address of the page of what was found."""
    match hit.kind:
        case Kind.EVENT:
            return url_for("pages.event", event_id=hit.id)
        case Kind.PROMOTION:
            return url_for("pages.promotion", promotion_id=hit.id)
        case Kind.PERSON:
            return url_for("pages.events", actor=hit.id)
        case Kind.MODEL:
            return url_for("pages.model", name=hit.model)
        case Kind.VERSION | Kind.RUN | Kind.COMMIT:
            return url_for("pages.version", name=hit.model, number=hit.version)


def _by_kind(hits: Sequence[Hit]) -> dict[Kind, list[tuple[Hit, str]]]:
    groups: dict[Kind, list[tuple[Hit, str]]] = {}
    for hit, place in linked(hits):
        groups.setdefault(hit.kind, []).append((hit, place))
    return groups
