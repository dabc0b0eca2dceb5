"""The OpenAPI 3.1 document of the whole HTTP surface: https://spec.openapis.org/oas/v3.1.1.html

A route without an operation here, or an operation without a route, fails a test. Names of sources are nobody's
business: the document is the same for every installation.
"""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from registrar.vocabulary import VOCABULARY
from webhooks.openapi import shapes
from webhooks.openapi.shapes import refusals

_REF = "#/components/schemas/"
_ANSWERS: tuple[type[BaseModel], ...] = (
    shapes.Receipt,
    shapes.Event,
    shapes.Events,
    shapes.Dead,
    shapes.Story,
    shapes.Rejections,
    shapes.History,
    shapes.Alive,
    shapes.Ready,
    shapes.Consent,
    shapes.Problem,
)
_VIEWERS = "Shown to viewers: by a token, a session, a trusted proxy, or on the receiver's own machine without one."
_UNKNOWN = (401, 403)
_ACT = "What is done about it is an event, signed like any other: task.retry, task.drop, event.replay."
_LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "so many at most",
    "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
}
_SOURCE = {
    "name": "source",
    "in": "path",
    "required": True,
    "description": "a source's name in registrar.yml",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"},
}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Registrar",
            "version": version("mlflow-registrar"),
            "description": "Signed webhooks in, safe and audited MLflow Model Registry changes out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": _security()},
    }


def _schemas() -> dict[str, Any]:
    """Answers as they are given, events as they are taken; both from the classes that the code itself uses."""
    _, answers = models_json_schema([(kind, "serialization") for kind in _ANSWERS], ref_template=_REF + "{model}")
    kinds = [kind for kind in VOCABULARY.values() if kind.type != "registry.query"]
    _, data = models_json_schema([(kind, "validation") for kind in kinds], ref_template=_REF + "{model}")
    envelopes = {kind.__name__ + "Event": _envelope(kind.type, kind.__name__) for kind in kinds}
    mapping = {kind.type: f"{_REF}{kind.__name__}Event" for kind in kinds}
    one_of = {"oneOf": [{"$ref": ref} for ref in mapping.values()]}
    event = {"OurEvent": {**one_of, "discriminator": {"propertyName": "type", "mapping": mapping}}}
    return {**answers["$defs"], **data["$defs"], **envelopes, **event}


def _envelope(type_: str, data: str) -> dict[str, Any]:
    properties = {
        "type": {"const": type_},
        "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
        "data": {"$ref": _REF + data},
    }
    return {"type": "object", "properties": properties, "required": ["type", "data"], "additionalProperties": False}


def _security() -> dict[str, Any]:
    """Of a source of the kind `standard`; docs/sources.md has the other kinds'."""
    said = "of Standard Webhooks: https://www.standardwebhooks.com"
    signed = {
        name: {"type": "apiKey", "in": "header", "name": name, "description": said}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    return {**signed, "token": {"type": "http", "scheme": "bearer", "description": "of `registrar token create`"}}


def _paths() -> dict[str, Any]:
    return {
        "/webhooks/{source}": {"parameters": [_SOURCE], "post": _post(), "options": _options()},
        "/v1/events": {"get": _get("The newest events", _VIEWERS, shapes.Events, *_UNKNOWN, parameters=[_LIMIT])},
        "/v1/events/{id}": {
            "get": _get(
                "What became of an event",
                "Open to whoever has its id: 128 random bits, told to its sender alone.",
                shapes.Event,
                404,
                parameters=[_path("id", "from the answer to its delivery")],
            )
        },
        "/v1/dead": {
            "get": _get(
                "What failed for good", f"{_VIEWERS} {_ACT}", shapes.Dead, *_UNKNOWN, parameters=[_LIMIT, _MODEL]
            )
        },
        "/v1/dead/{task}": {
            "get": _get(
                "The whole story of a task",
                f"{_VIEWERS} {_ACT}",
                shapes.Story,
                *_UNKNOWN,
                404,
                parameters=[_path("task", "a task's id, from /v1/dead or of an event")],
            )
        },
        "/v1/rejections": {
            "get": _get("What was refused, and why", _VIEWERS, shapes.Rejections, *_UNKNOWN, parameters=[_LIMIT])
        },
        "/v1/models/{model}/history": {
            "get": _get(
                "Which version held what, from when to when, and who approved",
                _VIEWERS,
                shapes.History,
                *_UNKNOWN,
                parameters=[_path("model", "a registered model's name"), _AT],
            )
        },
        "/healthz": {"get": _get("Whether the process lives", "", shapes.Alive)},
        "/readyz": {"get": _get("Whether it can accept", _READY, shapes.Ready, parameters=[_EXCLUDE])},
        "/metrics": {"get": _other("Counters for Prometheus", _VIEWERS, "text/plain", *_UNKNOWN)},
        "/openapi.json": {"get": _other("This document", "", "application/json")},
        "/docs": {"get": _other("This document, for people", "", "text/html")},
    }


_READY = "503 says by part what is wrong. A load balancer wants `exclude=broker`: without one, events are still kept."
_EXCLUDE = {
    "name": "exclude",
    "in": "query",
    "description": "a part that may fail; may be given several times",
    "schema": {"type": "array", "items": {"enum": ["ledger", "disk", "broker", "work"]}},
}
_MODEL = {
    "name": "model",
    "in": "query",
    "description": "those about this registered model alone",
    "schema": {"type": "string"},
}
_AT = {
    "name": "at",
    "in": "query",
    "description": "who held what at that time: ISO 8601 with a zone",
    "schema": {"type": "string", "format": "date-time"},
}


def _path(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _post() -> dict[str, Any]:
    described = (
        "Signed as the source's kind says; shown here is a source of the kind `standard`. A 2xx means that it is on "
        "disk. The same delivery again is answered 200 with the first one's ids."
    )
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": _REF + "OurEvent"}}}}
    repeated = "Accepted before, ignored with the reason, or answered as a chat system wants it"
    answers = {"200": _answer(repeated, shapes.Receipt), "202": _answer("Accepted", shapes.Receipt)}
    refused = _refused(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
    security: list[dict[str, list[str]]] = [{"webhook-id": [], "webhook-timestamp": [], "webhook-signature": []}]
    return {
        "operationId": "deliver",
        "summary": "Deliver an event",
        "description": described,
        "security": security,
        "requestBody": body,
        "responses": {**answers, **refused},
    }


def _options() -> dict[str, Any]:
    headers = [
        {"name": "WebHook-Request-Origin", "in": "header", "schema": {"type": "string"}, "description": "who asks"},
    ]
    said = "CloudEvents' handshake, for sources of the kind `cloudevents`. WebHook-Request-Callback is never called."
    answer = _answer("It may", shapes.Consent)
    answer["headers"] = {
        name: {"schema": {"type": "string"}} for name in ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate", "Allow")
    }
    return {
        "operationId": "handshake",
        "summary": "Ask whether one may send",
        "description": said,
        "parameters": headers,
        "responses": {"200": answer, **_refused(403, 404, 405, 422, 429)},
    }


def _get(
    summary: str, description: str, shape: type[BaseModel], *refused: int, parameters: list[Any] | None = None
) -> dict[str, Any]:
    statuses = {*refused, 503} | ({422} if parameters else set())
    found = _other(summary, description, "application/json", *sorted(statuses))
    found["responses"]["200"] = _answer("What was asked for", shape)
    return {**found, "parameters": parameters or []}


def _other(summary: str, description: str, content_type: str, *refused: int) -> dict[str, Any]:
    answer = {"description": "What was asked for", "content": {content_type: {"schema": {}}}}
    operation = {"summary": summary, "responses": {"200": answer, **_refused(*refused)}}
    return {**operation, "description": description} if description else operation


def _answer(description: str, shape: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"$ref": _REF + shape.__name__}}}}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(status): _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    """With the codes that it may have, from the classes that are raised."""
    codes = [f"`{kind.code}`: {kind.title}" for kind in refusals() if kind.status == status]
    answer: dict[str, Any] = {
        "description": "; ".join(codes) or "Refused",
        "content": {"application/problem+json": {"schema": {"$ref": _REF + "Problem"}}},
    }
    if status in (429, 503):
        seconds = {"description": "seconds, 60 at most", "schema": {"type": "integer", "minimum": 1, "maximum": 60}}
        answer["headers"] = {"Retry-After": seconds}
    return answer
