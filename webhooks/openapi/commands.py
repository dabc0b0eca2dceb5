"""Operations of the commands of /v1, and of the sign-in."""

from typing import Any

from pydantic import BaseModel

from registrar.events.types import VOCABULARY
from webhooks.ingress.command_submission import COMMANDS
from webhooks.openapi import schemas
from webhooks.openapi.operations import REF, TOKEN, answer, path, refusals_of

SHAPES = (schemas.Receipt,)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "what is sent again with the same one is done once: 200 with the first one's ids",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$"},
}
_WHO = "Takes the role {role} (`access` in registrar.yml). Whether a vote counts is for the policy's groups to say."


def paths() -> dict[str, Any]:
    promotion, model = path("id", "a promotion's id"), path("model", "a registered model's name")
    task, event = path("task", "a task's id"), path("id", "an event's id")
    either = "operator, or approver of the target"
    one_of = {"oneOf": [_command(type_) for type_ in sorted(COMMANDS)]}
    found = {
        "/v1/commands": _post("Do something", one_of, role="approver for promotion.*, else operator"),
        "/v1/promotions/{id}/approve": _post("Approve a promotion", "promotion.approve", promotion, role="approver"),
        "/v1/promotions/{id}/reject": _post("Reject a promotion", "promotion.reject", promotion, role="approver"),
        "/v1/promotions/{id}/cancel": _post("Take a request back", "promotion.cancel", promotion, role="approver"),
        "/v1/models/{model}/rollback": _post("Back to the version before", "model.rollback", model, role=either),
        "/v1/models/{model}/prune": _post("Mark and delete old versions", "model.prune", model, role="operator"),
        "/v1/dead/{task}/retry": _post("Try work again that failed", "task.retry", task, role="operator"),
        "/v1/dead/{task}/drop": _post("Leave work undone that failed or waits", "task.drop", task, role="operator"),
        "/v1/events/{id}/replay": _post("Send an event again", "event.replay", event, role="operator"),
    }
    return {path: {"post": operation} for path, operation in found.items()}


def _post(summary: str, asks: str | dict[str, Any], *parameters: dict[str, Any], role: str) -> dict[str, Any]:
    """Make an operation.

    asks: the body's schema, or the event type whose data the body has, without the path's fields.
    """
    schema = _rest(VOCABULARY[asks]) if isinstance(asks, str) else asks
    needed = bool(schema.get("required")) or not isinstance(asks, str)
    done = {
        "200": answer("Done before, with the same Idempotency-Key", schemas.Receipt),
        "202": answer("Accepted: it is on disk", schemas.Receipt),
    }
    return {
        "summary": summary,
        "description": _WHO.format(role=role),
        "security": TOKEN,
        "parameters": [*parameters, _KEY],
        "requestBody": {"required": needed, "content": {"application/json": {"schema": schema}}},
        "responses": {**done, **refusals_of(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)},
    }


_BY_THE_PATH = {"model", "version", "target", "promotion", "task_id", "event_id"}


def _rest(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of an event's data without the path's fields. A rollback's target is not in its path."""
    said = _BY_THE_PATH - ({"target"} if "version" not in kind.model_fields else set())
    schema = kind.model_json_schema()
    properties = {name: value for name, value in schema["properties"].items() if name not in said}
    required = [name for name in schema.get("required", ()) if name not in said]
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _command(type_: str) -> dict[str, Any]:
    data = {"$ref": REF + VOCABULARY[type_].__name__}
    properties = {"type": {"const": type_}, "data": data}
    return {"type": "object", "properties": properties, "required": ["type", "data"], "additionalProperties": False}


_PROVIDER = "Of the OpenID Connect provider in registrar.yml (access.oidc); 404 where there is none."
_FORM = "From one of our own pages, whose token it sends as the field `csrf` or the header X-CSRF-Token."


def sign_in_paths() -> dict[str, Any]:
    return {
        "/signin": {"get": _away("Sign in, in a browser", _PROVIDER, 404, 429, 503)},
        "/signin/callback": {"get": _away("Come back signed in", _PROVIDER, 401, 403, 404, 429, 503)},
        "/signout": {"post": _away("Sign out", _FORM, 403, 503)},
    }


def _away(summary: str, description: str, *refused: int) -> dict[str, Any]:
    """Make an operation that redirects the browser."""
    there = {"description": "Go there", "headers": {"Location": {"schema": {"type": "string"}}}}
    return {"summary": summary, "description": description, "responses": {"303": there, **refusals_of(*refused)}}
