"""The OpenAPI 3.1 document of the whole HTTP surface: https://spec.openapis.org/oas/v3.1.1.html

A route without an operation here, or an operation without a route, fails a test. The document is the same for all
installations, so it names no source.
"""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from registrar.events.types import VOCABULARY
from webhooks.openapi import commands, queries, schemas
from webhooks.openapi.operations import REF, UNKNOWN, VIEWERS, answer, get, other, refusals_of

_ANSWERS: tuple[type[BaseModel], ...] = (
    *commands.SHAPES,
    *queries.SHAPES,
    schemas.Alive,
    schemas.Ready,
    schemas.Consent,
    schemas.Problem,
)
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
    """Return the schemas of answers and events, from the classes that the code itself uses."""
    _, answers = models_json_schema([(kind, "serialization") for kind in _ANSWERS], ref_template=REF + "{model}")
    kinds = list(VOCABULARY.values())
    _, data = models_json_schema([(kind, "validation") for kind in kinds], ref_template=REF + "{model}")
    envelopes = {kind.__name__ + "Event": _envelope(kind.type, kind.__name__) for kind in kinds}
    mapping = {kind.type: f"{REF}{kind.__name__}Event" for kind in kinds}
    one_of = {"oneOf": [{"$ref": ref} for ref in mapping.values()]}
    event = {"OurEvent": {**one_of, "discriminator": {"propertyName": "type", "mapping": mapping}}}
    return {**answers["$defs"], **data["$defs"], **envelopes, **event}


def _envelope(type_: str, data: str) -> dict[str, Any]:
    properties = {
        "type": {"const": type_},
        "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
        "data": {"$ref": REF + data},
    }
    return {"type": "object", "properties": properties, "required": ["type", "data"], "additionalProperties": False}


def _security() -> dict[str, Any]:
    """Return the signature headers of a source of the kind `standard`; docs/how-to/sources has the others."""
    standard = "of Standard Webhooks: https://www.standardwebhooks.com"
    signed = {
        name: {"type": "apiKey", "in": "header", "name": name, "description": standard}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    return {**signed, "token": {"type": "http", "scheme": "bearer", "description": "of `registrar token create`"}}


def _paths() -> dict[str, Any]:
    return {
        "/webhooks/{source}": {"parameters": [_SOURCE], "post": _post(), "options": _options()},
        **_both(queries.paths(), commands.paths()),
        **commands.sign_in_paths(),
        "/healthz": {"get": get("Whether the process is alive", "", schemas.Alive)},
        "/readyz": {"get": get("Whether it can accept events", _READY, schemas.Ready, parameters=[_EXCLUDE])},
        "/metrics": {"get": other("Counters for Prometheus", VIEWERS, "text/plain", *UNKNOWN)},
        "/openapi.json": {"get": other("This document", "", "application/json")},
    }


def _both(reads: dict[str, Any], writes: dict[str, Any]) -> dict[str, Any]:
    return {path: {**reads.get(path, {}), **writes.get(path, {})} for path in (*reads, *writes)}


_READY = "503 says which part fails. For a load balancer use `exclude=broker`: without a broker, events are still kept."
_EXCLUDE = {
    "name": "exclude",
    "in": "query",
    "description": "a part whose failure is no 503; may be repeated",
    "schema": {"type": "array", "items": {"enum": ["ledger", "disk", "broker", "work"]}},
}


def _post() -> dict[str, Any]:
    described = (
        "Signed as the source's kind needs; this is a source of the kind `standard`. A 2xx means that the event is on "
        "disk. The same delivery again is answered 200 with the first one's ids."
    )
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": REF + "OurEvent"}}}}
    repeated = "Accepted before, ignored with the reason, or answered in a chat system's form"
    answers = {"200": answer(repeated, schemas.Receipt), "202": answer("Accepted", schemas.Receipt)}
    refused = refusals_of(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
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
        {
            "name": "WebHook-Request-Origin",
            "in": "header",
            "schema": {"type": "string"},
            "description": "the sender's DNS name",
        },
    ]
    description = (
        "CloudEvents' handshake, for sources of the kind `cloudevents`. WebHook-Request-Callback is never called."
    )
    consent = answer("The sender may send", schemas.Consent)
    consent["headers"] = {
        name: {"schema": {"type": "string"}} for name in ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate", "Allow")
    }
    return {
        "operationId": "handshake",
        "summary": "Ask for permission to send",
        "description": description,
        "parameters": headers,
        "responses": {"200": consent, **refusals_of(403, 404, 405, 422, 429)},
    }
