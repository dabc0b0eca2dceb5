"""/rejections: requests refused at the door, newest first."""

from flask import Blueprint, url_for

from registrar.ledger import rejections as record
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext

MOST = 100


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/rejections")
    def rejections() -> str:
        principal, before = context.require_principal(), query_params.number("before")
        with context.ledger.read() as connection:
            found = record.latest(connection, before=before, limit=MOST + 1)
        older = url_for("pages.rejections", before=found[MOST - 1]["seq"]) if len(found) > MOST else None
        return context.page("rejections.html", principal, found=found[:MOST], older=older, first=before is None)
