"""The commands of /v1. Each becomes an event, like the forms of pages (webhooks/ingress/command_submission.py).

A request that is sent again with the same `Idempotency-Key` is done once: 200 with the first one's ids.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, request

from registrar.queries.query_service import QueryService, Row, pick
from webhooks.api.responses import respond
from webhooks.auth import Authenticator, Principal, Role
from webhooks.ingress import strict_json
from webhooks.ingress.body_reader import too_large
from webhooks.ingress.command_submission import Accepted, CommandSubmission
from webhooks.ingress.errors import InvalidEvent, UnsupportedMediaType
from webhooks.ingress.flask_routes import read_body
from webhooks.openapi.schemas import Receipt

LARGEST = 65_536  # bytes
Fields = dict[str, Any]
JsonAnswer = tuple[dict[str, Any], int]


def add(api: Blueprint, service: QueryService, commands: CommandSubmission, access: Authenticator) -> None:
    def submit(principal: Principal, type_: str, data: Fields) -> JsonAnswer:
        accepted = commands.submit(principal, type_, data, key=request.headers.get("Idempotency-Key"))
        return _receipt(type_, accepted)

    @api.post("/v1/commands")
    def command() -> JsonAnswer:
        """Accept any command of the vocabulary, as {"type", "data"}."""
        principal = access.require(request, "viewer")  # the command decides which role it needs
        body = _parse_body()
        if set(body) != {"type", "data"} or not isinstance(body["type"], str) or not isinstance(body["data"], dict):
            raise InvalidEvent('send {"type": "promotion.approve", "data": {...}}: both fields, and no others')
        return submit(principal, body["type"], body["data"])

    def route(path: str, type_: str, fields_of: Callable[[str], Fields], role: Role) -> None:
        """Add the route of a command. fields_of: returns the event's fields for the id or name in the path."""

        def act(which: str) -> JsonAnswer:
            principal = access.require(request, role)
            return submit(principal, type_, _merge(_parse_body(), fields_of(which)))

        api.add_url_rule(path, endpoint=type_.replace(".", "_"), view_func=act, methods=["POST"])

    for verb in ("approve", "reject", "cancel"):
        route(f"/v1/promotions/<which>/{verb}", f"promotion.{verb}", partial(_promotion, service), "approver")
    for verb in ("rollback", "prune"):  # approvers of the target may, too
        route(f"/v1/models/<which>/{verb}", f"model.{verb}", lambda name: {"model": name}, "viewer")
    for verb in ("retry", "drop"):
        route(f"/v1/dead/<which>/{verb}", f"task.{verb}", partial(_task, service), "operator")
    route("/v1/events/<which>/replay", "event.replay", partial(_event, service), "operator")


def _promotion(service: QueryService, promotion_id: str) -> Fields:
    promotion = service.promotion(promotion_id)
    return {**pick(promotion, "model", "version", "target"), "promotion": promotion["id"]}


def _task(service: QueryService, task_id: str) -> Fields:
    return {"task_id": task_id, **_model_field(service.dead_one(task_id))}


def _event(service: QueryService, event_id: str) -> Fields:
    return {"event_id": event_id, **_model_field(service.event(event_id))}


def _model_field(row: Row) -> Fields:
    return {"model": row["model"]} if row["model"] else {}


def _merge(body: Fields, of_path: Fields) -> Fields:
    """Add the path's fields. Raises InvalidEvent if the body has one of them, too."""
    if twice := sorted(set(body) & set(of_path)):
        raise InvalidEvent(f"{twice[0]} is in the address already; leave it out of the body")
    return {**body, **of_path}


def _parse_body() -> Fields:
    """Read a JSON object; an empty body counts as {}. Raises Rejected."""
    if (request.content_length or 0) > LARGEST:
        raise too_large(LARGEST)
    body = read_body(limit=LARGEST)
    if not body:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send application/json")
    fields = strict_json.parse(body)
    if not isinstance(fields, dict):
        raise InvalidEvent("the body must be a JSON object")
    return fields


def _receipt(type_: str, accepted: Accepted) -> JsonAnswer:
    pairs = zip(accepted.event_ids, accepted.status_urls, strict=True)
    events = [{"id": id_, "type": type_, "status_url": url} for id_, url in pairs]
    return respond(Receipt, {"events": events}), 200 if accepted.seen_before else 202
