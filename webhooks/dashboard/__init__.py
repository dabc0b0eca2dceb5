"""The dashboard: pages for people, made on the server; scripts only keep them fresh.

A file for each page or resource with `register(pages, context)`; templates/pages/ has its look. Pages read through
registrar/queries/dashboard.py and registrar.yml, and change things by CommandSubmission, as events like any other.
"""

import flask
from flask import Blueprint, Response

from webhooks.dashboard import (
    audit,
    change_feed,
    dead_letters,
    events,
    models,
    overview,
    policy,
    promotions,
    search,
)
from webhooks.dashboard.context import DashboardContext, MlflowLinks
from webhooks.dashboard.error_pages import Errors

__all__ = ["DashboardContext", "Errors", "MlflowLinks", "blueprint"]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {"Content-Security-Policy": CSP, "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}


def blueprint(context: DashboardContext) -> Blueprint:
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static")
    for part in (change_feed, overview, events, search, models, promotions, dead_letters, policy, audit):
        part.register(pages, context)
    pages.register_error_handler(Exception, Errors(context).answer)
    pages.after_request(_add_headers)
    return pages


def _add_headers(response: flask.Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
