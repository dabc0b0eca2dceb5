"""Builds operations of the document: parameters, answers, refusals."""

from typing import Any

from pydantic import BaseModel

from webhooks.openapi.schemas import refusals

REF = "#/components/schemas/"
VIEWERS = "Shown to viewers: by a token, a session, a trusted proxy, or on the receiver's own machine without one."
UNKNOWN = (401, 403)
TOKEN: list[dict[str, list[str]]] = [{"token": []}, {}]  # {}: by a session, a proxy, or from the same machine


def get(
    summary: str, description: str, shape: type[BaseModel], *refused: int, parameters: list[Any] | None = None
) -> dict[str, Any]:
    statuses = {*refused, 503} | ({422} if parameters else set())
    operation = other(summary, description, "application/json", *sorted(statuses))
    operation["responses"]["200"] = answer("The answer", shape)
    return {**operation, "parameters": parameters or []}


def read(
    summary: str, shape: type[BaseModel], *parameters: Any, more: str = "", missing: bool = False
) -> dict[str, Any]:
    """Make a read of /v1, for viewers, with an ETag. missing: it may answer 404."""
    operation = get(
        summary,
        f"{VIEWERS} {more}".strip(),
        shape,
        *UNKNOWN,
        422,
        *([404] if missing else []),
        parameters=list(parameters),
    )
    responses = operation["responses"]
    return {**operation, "responses": {**responses, **tagged(responses)}, "security": TOKEN}


def tagged(responses: dict[str, Any]) -> dict[str, Any]:
    """Return the responses 200 with an ETag, and 304."""
    tag = {"ETag": {"description": "send it as If-None-Match with the next request", "schema": {"type": "string"}}}
    unchanged = {"description": "Unchanged since the ETag in If-None-Match", "headers": tag}
    return {"200": {**responses["200"], "headers": tag}, "304": unchanged}


def other(summary: str, description: str, content_type: str, *refused: int) -> dict[str, Any]:
    content = {"description": "The answer", "content": {content_type: {"schema": {}}}}
    operation = {"summary": summary, "responses": {"200": content, **refusals_of(*refused)}}
    return {**operation, "description": description} if description else operation


def answer(description: str, shape: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"$ref": REF + shape.__name__}}}}


def refusals_of(*statuses: int) -> dict[str, Any]:
    return {str(status): _problem(status) for status in statuses}


def path(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string", **schema}}


def time(name: str, description: str) -> dict[str, Any]:
    return query(name, f"{description}: ISO 8601 with a zone", format="date-time")


PAGE = [
    query("limit", "the most rows to return", type="integer", minimum=1, maximum=500, default=50),
    query("cursor", "`next` of the page before"),
]


def _problem(status: int) -> dict[str, Any]:
    """Return the problem response of a status, with the codes of its error classes."""
    codes = [f"`{kind.code}`: {kind.title}" for kind in refusals() if kind.status == status]
    problem: dict[str, Any] = {
        "description": "; ".join(codes) or "Refused",
        "content": {"application/problem+json": {"schema": {"$ref": REF + "Problem"}}},
    }
    if status in (429, 503):
        seconds = {"description": "seconds, 60 at most", "schema": {"type": "integer", "minimum": 1, "maximum": 60}}
        problem["headers"] = {"Retry-After": seconds}
    return problem
