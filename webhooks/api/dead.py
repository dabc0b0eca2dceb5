"""/v1/dead: what failed for good, and its story."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger import Ledger
from registrar.ledger.dead import letters
from registrar.ledger.story import story
from webhooks.access import Access
from webhooks.api import asked
from webhooks.clean import clean
from webhooks.errors import NotFound


def add(api: Blueprint, ledger: Ledger, access: Access) -> None:
    @api.get("/v1/dead")
    def dead() -> dict[str, Any]:
        access.require(request, "viewer")
        model = asked.model()
        with ledger.read() as connection:
            return {"dead": [each.to_json() for each in letters(connection, model=model, limit=asked.limit())]}

    @api.get("/v1/dead/<task_id>")
    def dead_one(task_id: str) -> dict[str, Any]:
        access.require(request, "viewer")
        with ledger.read() as connection:
            found = story(connection, task_id) if asked.readable(task_id) else None
        if found is None:
            raise NotFound(f"there is no task {clean(task_id)}; /v1/dead lists what failed for good")
        return found
