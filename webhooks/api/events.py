"""/v1/events: what was accepted, and what became of it."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger.search import STATES, Sought
from registrar.reading.reading import Reading
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
        """Open to whoever has the id: it is 96 random bits behind its time, told to the sender alone."""
        return reading.event(event_id)
