"""The HTTP API's document, for machines (/openapi.json) and for people (/docs).

Both come from document.py, which is imported at the first request: most receivers get none.
"""

import json
from functools import cache
from importlib import import_module

from flask import Blueprint, Response

# The page is text and style only, so that even unescaped text could load and run nothing.
CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def blueprint() -> Blueprint:
    pages = Blueprint("openapi", __name__)

    @pages.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(_json(), content_type="application/json")

    @pages.get("/docs")
    def docs() -> Response:
        return Response(_html(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": CSP})

    return pages


@cache
def _json() -> str:
    return json.dumps(import_module("webhooks.openapi.document").document())


@cache
def _html() -> str:
    document = import_module("webhooks.openapi.document").document()
    return str(import_module("webhooks.openapi.page").page(document))
