"""/v1/events: what was accepted, and what became of it."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.queries.event_search import STATES, Sought
from registrar.ledger.queries.event_status import for_strangers
from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/events")
    def events() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, *Sought.__dataclass_fields__)
        names = ("source", "type", "model", "actor")
        sought = Sought(
            **{name: request.args.get(name) for name in names},
            state=query.one_of("state", STATES),
            since=query.time("since"),
            until=query.time("until"),
        )
        return query.paged("events", reading.events(sought, limit=query.limit(), cursor=query.cursor()))

    @api.get("/v1/events/<event_id>")
    def event(event_id: str) -> dict[str, Any]:
        """Whoever has the id alone learns how far it is, and no more: senders are told it, tags in MLflow have it."""
        found = reading.event(event_id)
        principal = access.principal(request)
        return found if principal and principal.may("viewer") else for_strangers(found)
