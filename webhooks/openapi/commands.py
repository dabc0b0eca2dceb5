"""Operations of the commands of /v1, and of the sign-in."""

from typing import Any

from pydantic import BaseModel

from registrar.events.left_out import MAY_OMIT
from registrar.events.types import VOCABULARY
from webhooks.ingress.command_submission import COMMANDS
from webhooks.openapi import schemas
from webhooks.openapi.operations import REF, TOKEN, answer, path, refusals_of

SHAPES = (schemas.Receipt,)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "a request that is sent again with the same key is done once: 200 with the first one's ids",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$"},
}
_ROLE = "Needs the role {role} (`access` in registrar.yml). The policy's groups decide whether a vote counts."

_OMITTED = (
    "A version may be left out where the record leaves no doubt which one is meant; else the answer is 422, code "
    "`version_in_doubt`, and lists those it may be. The event always names it, and the same Idempotency-Key means what "
    "it meant the first time."
)


def paths() -> dict[str, Any]:
    promotion, model = path("id", "a promotion's id"), path("model", "a registered model's name")
    task, event = path("task", "a task's id"), path("id", "an event's id")
    either = "operator, or approver of the target"
    one_of = {"oneOf": [_command(type_) for type_ in sorted(COMMANDS)]}
    operations = {
        "/v1/commands": _post(
            "Submit any command",
            one_of,
            role="viewer for registry.query, approver for promotion.*, else operator",
            more=_OMITTED,
        ),
        "/v1/promotions/{id}/approve": _post("Approve a promotion", "promotion.approve", promotion, role="approver"),
        "/v1/promotions/{id}/reject": _post("Reject a promotion", "promotion.reject", promotion, role="approver"),
        "/v1/promotions/{id}/cancel": _post("Cancel a promotion", "promotion.cancel", promotion, role="approver"),
        "/v1/models/{model}/rollback": _post("Roll back to the version before", "model.rollback", model, role=either),
        "/v1/models/{model}/prune": _post("Mark and delete old versions", "model.prune", model, role="operator"),
        "/v1/dead/{task}/retry": _post("Retry a dead letter", "task.retry", task, role="operator"),
        "/v1/dead/{task}/drop": _post("Drop a dead letter, or a task that waits", "task.drop", task, role="operator"),
        "/v1/events/{id}/replay": _post("Send an event again", "event.replay", event, role="operator"),
    }
    return {path: {"post": operation} for path, operation in operations.items()}


def _post(
    summary: str, body: str | dict[str, Any], *parameters: dict[str, Any], role: str, more: str = ""
) -> dict[str, Any]:
    """Make an operation.

    body: its schema, or the event type whose data it is, without the path's fields.
    """
    schema = _without_path_fields(VOCABULARY[body]) if isinstance(body, str) else body
    needed = bool(schema.get("required")) or not isinstance(body, str)
    receipts = {
        "200": answer("Accepted before, with the same Idempotency-Key", schemas.Receipt),
        "202": answer("Accepted: it is on disk", schemas.Receipt),
    }
    return {
        "summary": summary,
        "description": f"{_ROLE.format(role=role)} {more}".strip(),
        "security": TOKEN,
        "parameters": [*parameters, _KEY],
        "requestBody": {"required": needed, "content": {"application/json": {"schema": schema}}},
        "responses": {**receipts, **refusals_of(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)},
    }


_PATH_FIELDS = {"model", "version", "target", "promotion", "task_id", "event_id"}


def _without_path_fields(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of an event's data without the path's fields. A rollback's target is not in its path."""
    left_out = _PATH_FIELDS - ({"target"} if "version" not in kind.model_fields else set())
    schema = kind.model_json_schema()
    properties = {name: value for name, value in schema["properties"].items() if name not in left_out}
    required = [name for name in schema.get("required", ()) if name not in left_out]
    rest = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**rest, "required": required} if required else rest


def _command(type_: str) -> dict[str, Any]:
    data = _without_version(VOCABULARY[type_]) if type_ in MAY_OMIT else {"$ref": REF + VOCABULARY[type_].__name__}
    properties = {"type": {"const": type_}, "data": data}
    return {"type": "object", "properties": properties, "required": ["type", "data"], "additionalProperties": False}


def _without_version(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of an event's data, whose version may be left out."""
    schema = kind.model_json_schema(ref_template=REF + "{model}")
    required = [name for name in schema.get("required", ()) if name != "version"]
    rest = {name: value for name, value in schema.items() if name not in ("required", "$defs")}
    return {**rest, "required": required} if required else rest


_PROVIDER = "By the OpenID Connect provider in registrar.yml (access.oidc); 404 where there is none."
_FORM = "Sent by one of our own pages, with its token as the field `csrf` or the header X-CSRF-Token."


def sign_in_paths() -> dict[str, Any]:
    return {
        "/signin": {"get": _redirect("Sign in, in a browser", _PROVIDER, 404, 429, 503)},
        "/signin/callback": {"get": _redirect("Return from the provider", _PROVIDER, 401, 403, 404, 429, 503)},
        "/signout": {"post": _redirect("Sign out", _FORM, 403, 503)},
    }


def _redirect(summary: str, description: str, *refused: int) -> dict[str, Any]:
    """Make an operation that redirects the browser."""
    redirect = {"description": "Redirect", "headers": {"Location": {"schema": {"type": "string"}}}}
    return {"summary": summary, "description": description, "responses": {"303": redirect, **refusals_of(*refused)}}
