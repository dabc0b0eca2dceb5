"""/v1/rejections: what was refused at the door, and why."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger import Ledger
from registrar.ledger.rejections import latest
from webhooks.access import Access
from webhooks.api import asked


def add(api: Blueprint, ledger: Ledger, access: Access) -> None:
    @api.get("/v1/rejections")
    def refused() -> dict[str, Any]:
        access.require(request, "viewer")
        with ledger.read() as connection:
            return {"rejections": latest(connection, limit=asked.limit())}
