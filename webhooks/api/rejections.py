"""/v1/rejections: what was refused at the door, and why."""

from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import Reading
from webhooks.access import Access
from webhooks.api import query


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    @api.get("/v1/rejections")
    def refused() -> dict[str, Any]:
        access.require(request, "viewer")
        query.only(*query.PAGE, "source")
        found = reading.rejections(source=request.args.get("source"), limit=query.limit(), cursor=query.cursor())
        return query.paged("rejections", found)
