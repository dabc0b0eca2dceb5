"""Responses of /v1: checked against their schemas, and with an ETag (RFC 9110, section 8.8.3)."""

import logging
from typing import Any

from flask import Response, request
from pydantic import BaseModel, ValidationError

from registrar.queries.query_service import Page

log = logging.getLogger(__name__)


def respond(schema: type[BaseModel], body: dict[str, Any]) -> dict[str, Any]:
    """Check the body against its schema in /openapi.json, and return it unchanged.

    A body that does not fit is still sent, since most clients can read it, and is reported: see report_mismatch.
    """
    try:
        schema.model_validate(body)
    except ValidationError as error:
        report_mismatch(schema, error)
    return body


def respond_page(schema: type[BaseModel], name: str, page: Page, **more: Any) -> dict[str, Any]:
    """Return a page of a list under its name, with `next`: the cursor of the next page; null: it was the last."""
    return respond(schema, {**more, name: list(page.rows), "next": page.next})


def report_mismatch(schema: type[BaseModel], error: ValidationError) -> None:
    """Log which fields are wrong, without their values. Under test it raises instead (tests/conftest.py)."""
    fields = sorted({".".join(map(str, each["loc"])) + f" ({each['type']})" for each in error.errors()})
    log.error("the answer to %s does not fit %s: %s", request.path, schema.__name__, ", ".join(fields[:5]))


def add_etag(response: Response) -> Response:
    """Run after each request of the API: answer 304 if If-None-Match has the hash of this response's bytes.

    It saves sending the bytes, not reading the ledger.
    """
    readable = request.method in ("GET", "HEAD") and request.path.startswith("/v1/")
    if readable and response.status_code == 200 and not response.is_streamed:
        response.headers["Cache-Control"] = "private, no-cache"  # a client may store it, and must ask each time
        response.vary.update(("Authorization", "Cookie"))
        response.add_etag()
        response.make_conditional(request)
    return response
