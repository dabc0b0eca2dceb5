"""What is done by the API: each becomes an event, through webhooks/ingress/command_submission.py, as on the pages.

`Idempotency-Key`: what is sent again with the same one is done once, and answered 200 with the first one's ids.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, request
from werkzeug.exceptions import ClientDisconnected

from registrar.queries.query_service import QueryService, Row, pick
from webhooks.auth import Authenticator, Principal, Role
from webhooks.ingress import strict_json
from webhooks.ingress.command_submission import Accepted, CommandSubmission
from webhooks.ingress.errors import Incomplete, InvalidEvent, TooLarge, UnsupportedMediaType

LARGEST = 65_536  # bytes
Fields = dict[str, Any]
JsonAnswer = tuple[dict[str, Any], int]


def add(api: Blueprint, reading: QueryService, commands: CommandSubmission, access: Authenticator) -> None:
    def submit(principal: Principal, type_: str, data: Fields) -> JsonAnswer:
        accepted = commands.submit(principal, type_, data, key=request.headers.get("Idempotency-Key"))
        return _answer(type_, accepted)

    @api.post("/v1/commands")
    def command() -> JsonAnswer:
        """Any command of the vocabulary, as {"type", "data"}."""
        principal = access.require(request, "viewer")  # which role it takes is for the command to say
        said = _parse_body()
        if set(said) != {"type", "data"} or not isinstance(said["type"], str) or not isinstance(said["data"], dict):
            raise InvalidEvent('send {"type": "promotion.approve", "data": {...}}: both, and nothing else')
        return submit(principal, said["type"], said["data"])

    def route(path: str, type_: str, about: Callable[[str], Fields], role: Role) -> None:
        """about: what the address says, of the id or name in it."""

        def act(which: str) -> JsonAnswer:
            principal = access.require(request, role)
            return submit(principal, type_, _with(_parse_body(), about(which)))

        api.add_url_rule(path, endpoint=type_.replace(".", "_"), view_func=act, methods=["POST"])

    for verb in ("approve", "reject", "cancel"):
        route(f"/v1/promotions/<which>/{verb}", f"promotion.{verb}", partial(_promotion, reading), "approver")
    for verb in ("rollback", "prune"):  # to approvers too, where they may approve the target
        route(f"/v1/models/<which>/{verb}", f"model.{verb}", lambda name: {"model": name}, "viewer")
    for verb in ("retry", "drop"):
        route(f"/v1/dead/<which>/{verb}", f"task.{verb}", partial(_task, reading), "operator")
    route("/v1/events/<which>/replay", "event.replay", partial(_event, reading), "operator")


def _promotion(reading: QueryService, promotion_id: str) -> Fields:
    found = reading.promotion(promotion_id)
    return {**pick(found, "model", "version", "target"), "promotion": found["id"]}


def _task(reading: QueryService, task_id: str) -> Fields:
    return {"task_id": task_id, **_about(reading.dead_one(task_id))}


def _event(reading: QueryService, event_id: str) -> Fields:
    return {"event_id": event_id, **_about(reading.event(event_id))}


def _about(found: Row) -> Fields:
    return {"model": found["model"]} if found["model"] else {}


def _with(said: Fields, own: Fields) -> Fields:
    """What the path says is not said again. Raises InvalidEvent."""
    if twice := sorted(set(said) & set(own)):
        raise InvalidEvent(f"{twice[0]} is said by the address; leave it out of the body")
    return {**said, **own}


def _parse_body() -> Fields:
    """The body, an object; nothing at all is an empty one. Raises Rejected."""
    if (request.content_length or 0) > LARGEST:
        raise TooLarge(f"the body is larger than {LARGEST} bytes")
    try:
        body = request.stream.read(LARGEST + 1)
    except (ClientDisconnected, OSError):
        raise Incomplete("the body ended before its announced end; send it again") from None
    if len(body) > LARGEST:
        raise TooLarge(f"the body is larger than {LARGEST} bytes")
    if not body:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send application/json")
    said = strict_json.parse(body)
    if not isinstance(said, dict):
        raise InvalidEvent("the body must be a JSON object")
    return said


def _answer(type_: str, accepted: Accepted) -> JsonAnswer:
    told = zip(accepted.event_ids, accepted.status_urls, strict=True)
    events = [{"id": id_, "type": type_, "status_url": url} for id_, url in told]
    return {"events": events}, 200 if accepted.seen_before else 202
