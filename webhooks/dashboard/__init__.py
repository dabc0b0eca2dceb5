"""The dashboard: pages for people, rendered on the server; scripts only keep them fresh.

Each page or resource has a file with `register(pages, context)`, and templates in templates/pages/. Pages read through
registrar/queries/dashboard.py, and change things by commands, which are events like any other.
"""

from flask import Blueprint

from webhooks.dashboard import (
    api_reference,
    audit,
    change_feed,
    compare,
    dead_letters,
    events,
    models,
    overview,
    policy,
    promotions,
    rollback,
    search,
    sign_in_link,
    versions,
)
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.error_pages import Errors

__all__ = ["DashboardContext", "Errors", "blueprint"]


def blueprint(context: DashboardContext) -> Blueprint:
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static")
    for part in (
        change_feed,
        overview,
        events,
        search,
        models,
        versions,
        compare,
        rollback,
        promotions,
        dead_letters,
        policy,
        audit,
        sign_in_link,
        api_reference,
    ):
        part.register(pages, context)
    pages.register_error_handler(Exception, Errors(context).answer)
    return pages
