"""/rejections: requests refused at the door, newest first."""

from flask import Blueprint, url_for

from registrar.ledger import rejections as record
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext

MOST = 100


def register(pages: Blueprint, house: DashboardContext) -> None:
    @pages.get("/rejections")
    def rejections() -> str:
        guest, before = house.guest(), query_params.number("before")
        with house.ledger.read() as connection:
            found = record.latest(connection, before=before, limit=MOST + 1)
        older = url_for("pages.rejections", before=found[MOST - 1]["seq"]) if len(found) > MOST else None
        return house.page("rejections.html", guest, found=found[:MOST], older=older, first=before is None)
