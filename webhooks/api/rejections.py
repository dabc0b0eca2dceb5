"""/v1/rejections: what was refused at the door, and why."""

from typing import Any

from flask import Blueprint, request

from registrar.ledger import Ledger
from registrar.ledger.rejections import latest
from webhooks.api import asked
from webhooks.api.gate import Gate


def add(api: Blueprint, ledger: Ledger, gate: Gate) -> None:
    @api.get("/v1/rejections")
    def refused() -> dict[str, Any]:
        gate.require(request)
        with ledger.read() as connection:
            return {"rejections": latest(connection, limit=asked.limit())}
