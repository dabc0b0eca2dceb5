"""/v1/events: what was accepted, and what became of it."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger import Ledger, status
from registrar.ledger.archived import place
from webhooks.access import Access
from webhooks.api import asked
from webhooks.clean import clean
from webhooks.errors import NotFound


def add(api: Blueprint, ledger: Ledger, access: Access) -> None:
    @api.get("/v1/events")
    def events() -> dict[str, Any]:
        access.require(request, "viewer")
        with ledger.read() as connection:
            return {"events": status.latest(connection, limit=asked.limit())}

    @api.get("/v1/events/<event_id>")
    def event(event_id: str) -> dict[str, Any]:
        """Open to whoever has the id: it is 128 random bits, told to the sender alone."""
        readable = asked.readable(event_id)
        with ledger.read() as connection:
            found = status.event(connection, event_id) if readable else None
            gone = place(connection, event_id) if found is None and readable else None
        if gone:
            raise NotFound(f"{event_id} was archived on {gone.started_at:%Y-%m-%d}: registrar archive show {event_id}")
        if found is None:
            raise NotFound(f"there is no event {clean(event_id)}; its id stands in the answer to its delivery")
        return found
