"""The HTTP API's document, for machines (/openapi.json) and for people (/docs, a page of the dashboard).

Both come from document.py, which is imported at the first request: most receivers get none.
"""

import json
from functools import cache
from importlib import import_module

from flask import Blueprint, Response
from markupsafe import Markup


def blueprint() -> Blueprint:
    pages = Blueprint("openapi", __name__)

    @pages.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(_json(), content_type="application/json")

    return pages


@cache
def reference() -> Markup:
    """Return the document for people, as HTML."""
    document = import_module("webhooks.openapi.document").document()
    return Markup(import_module("webhooks.openapi.page").page(document))  # noqa: S704 (page() escapes)


@cache
def _json() -> str:
    return json.dumps(import_module("webhooks.openapi.document").document())
