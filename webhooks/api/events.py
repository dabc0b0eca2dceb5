"""/v1/events: what was accepted, and what became of it."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.queries.event_search import STATES, EventFilter
from registrar.ledger.queries.event_status import for_strangers
from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    @api.get("/v1/events")
    def events() -> dict[str, Any]:
        access.require(request, "viewer")
        query_params.only(*query_params.PAGE, *EventFilter.__dataclass_fields__)
        names = ("source", "type", "model", "actor")
        sought = EventFilter(
            **{name: request.args.get(name) for name in names},
            state=query_params.one_of("state", STATES),
            since=query_params.time("since"),
            until=query_params.time("until"),
        )
        return query_params.paged(
            "events", reading.events(sought, limit=query_params.limit(), cursor=query_params.cursor())
        )

    @api.get("/v1/events/<event_id>")
    def event(event_id: str) -> dict[str, Any]:
        """Whoever has the id alone learns how far it is, and no more: senders are told it, tags in MLflow have it."""
        found = reading.event(event_id)
        principal = access.principal(request)
        return found if principal and principal.may("viewer") else for_strangers(found)
