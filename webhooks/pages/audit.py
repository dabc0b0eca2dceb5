"""/audit: the newest entries of the journal, and its head: what vouches for all of it."""

from flask import Blueprint, request

from registrar.ledger import around
from webhooks.clean import clean
from webhooks.pages.house import House

MOST = 100


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/audit")
    def audit() -> str:
        guest, model = house.guest(), clean(request.args.get("model", "").strip())
        with house.ledger.read() as connection:
            found = around.newest(connection, model=model or None, limit=MOST)
            head = around.head(connection)
        return house.page("audit.html", guest, found=found, head=head, model=model, most=MOST)
