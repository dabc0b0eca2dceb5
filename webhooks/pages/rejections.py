"""/rejections: requests refused at the door, newest first."""

import re

from flask import Blueprint, request, url_for

from registrar.ledger import rejections as record
from webhooks.errors import InvalidEvent
from webhooks.pages.house import House

MOST = 100


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/rejections")
    def rejections() -> str:
        guest, before = house.guest(), _before()
        with house.ledger.read() as connection:
            found = record.latest(connection, before=before, limit=MOST + 1)
        older = url_for("pages.rejections", before=found[MOST - 1]["seq"]) if len(found) > MOST else None
        return house.page("rejections.html", guest, found=found[:MOST], older=older, first=before is None)


def _before() -> int | None:
    """The number that the page before ended at. Raises InvalidEvent."""
    given = request.args.get("before")
    if given is not None and not re.fullmatch("[0-9]{1,18}", given):
        raise InvalidEvent("before is the number of a refusal, as the link to older ones has it")
    return int(given) if given else None
