"""/v1/models: which version held what."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, request

from registrar.ledger import Ledger
from registrar.ledger.history import history
from webhooks.access import Access
from webhooks.api import asked


def add(api: Blueprint, ledger: Ledger, access: Access) -> None:
    @api.get("/v1/models/<name>/history")
    def model_history(name: str) -> dict[str, Any]:
        access.require(request, "viewer")
        at = asked.time("at")
        with ledger.read() as connection:
            return {"model": name, "history": [asdict(holding) for holding in history(connection, name, at=at)]}
