"""/docs: the HTTP API for people, the same for every installation: no source, model or person of this one."""

from flask import Blueprint

from webhooks import openapi
from webhooks.dashboard.context import DashboardContext


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/docs")
    def api_reference() -> str:
        """Anybody may read it; who is signed in sees the header of the other pages."""
        return context.page("api_reference.html", context.principal_if_known(), reference=openapi.reference())
