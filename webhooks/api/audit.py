"""/v1/audit: the journal as JSON lines, as `registrar audit export --format jsonl` writes it."""

from flask import Blueprint, Response, request

from registrar.queries.query_service import QueryService
from webhooks.api import query_params
from webhooks.api.journal_export import CONTENT_TYPES, Exports
from webhooks.auth import Authenticator


def add(api: Blueprint, reading: QueryService, access: Authenticator) -> None:
    exports = Exports()

    @api.get("/v1/audit")
    def audit() -> Response:
        """Broken off, it is gone on with by `after`: the number (seq) of the last entry that came."""
        reader = access.require(request, "viewer")
        query_params.only("model", "since", "until", "after")
        found = reading.audit(
            model=request.args.get("model"),
            since=query_params.time("since"),
            until=query_params.time("until"),
            after=query_params.number("after"),
        )
        if request.method == "HEAD":
            return Response(content_type=CONTENT_TYPES["jsonl"])
        return exports.answer(found, "jsonl", reader)
