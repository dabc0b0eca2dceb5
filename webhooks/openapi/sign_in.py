"""How a person's browser gets a session, and loses it."""

from typing import Any

from webhooks.openapi.operations import refusals_of

_PROVIDER = "Of the OpenID Connect provider in registrar.yml (access.oidc); 404 where there is none."
_FORM = "From one of our own pages, whose token it sends as the field `csrf` or the header X-CSRF-Token."


def paths() -> dict[str, Any]:
    return {
        "/signin": {"get": _away("Sign in, in a browser", _PROVIDER, 404, 429, 503)},
        "/signin/callback": {"get": _away("Come back signed in", _PROVIDER, 401, 403, 404, 429, 503)},
        "/signout": {"post": _away("Sign out", _FORM, 403, 503)},
    }


def _away(summary: str, description: str, *refused: int) -> dict[str, Any]:
    """An answer that sends the browser elsewhere."""
    there = {"description": "Go there", "headers": {"Location": {"schema": {"type": "string"}}}}
    return {"summary": summary, "description": description, "responses": {"303": there, **refusals_of(*refused)}}
