"""GitHub: workflow runs that trained a model, our events in a repository_dispatch, deployments and their reviews.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks
Only X-Hub-Signature-256 counts. It covers the body alone, neither X-GitHub-Delivery nor X-GitHub-Event: so the body's
digest is the delivery's identity, and each event must have its own shape. A reviewer is the account's number, never the
login: a login can be given up, and taken by somebody else.

GitHub's reports get a 200 with the result; an unusable one is in `rejections`, too. Only a repository_dispatch, or a
report that is not permitted, gets a 4xx.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from pydantic import Field

from registrar.events.event import Actor, Event
from registrar.events.types import Data
from registrar.policy.base_model import Strict
from webhooks.ci.payload import Ignored, Repository, at, moment, number, refusal, text
from webhooks.ingress import strict_form, strict_json
from webhooks.ingress.errors import InvalidEvent, NotAForm, Rejected
from webhooks.ingress.source_types import Answer, Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.github.deployments import Deployment, callback, deployed, requested, reviewed
from webhooks.sources.github.payloads import SHAPES, comes_from
from webhooks.sources.github.training import Workflow, dispatched, trained

CONTENT_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded"})
SCHEME = schemes.GITHUB
_ANSWERING_KINDS = ("github", "github_dispatch")
_HAPPENED = {"workflow_run": ("workflow_run", "updated_at"), "deployment_status": ("deployment_status", "created_at")}


class Options(Strict):
    """repositories: those whose events count, by owner/name or number. dispatch: the event_type of our events.

    answer_by: the channel of kind github whose app approves the deployments that wait at a protection rule.
    """

    repositories: Annotated[list[Repository], Field(min_length=1)]
    training: list[Workflow] = []
    deployments: list[Deployment] = []
    dispatch: Annotated[str, Field(min_length=1, max_length=100)] = "registrar"
    answer_by: str | None = None


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def check(context: Context) -> None:
    name = cast("Options", context.options).answer_by
    channel = context.policy.channels.get(name or "")
    if name is not None and (channel is None or channel.kind not in _ANSWERING_KINDS):
        raise WeakSecret(f"options.answer_by: {name!r} is no channel of kind {' or '.join(_ANSWERING_KINDS)}")


def verify(request: Request, context: Context) -> Verified:
    """Verify the body; no id is signed."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    payload = _payload(request)
    name = request.headers.get("x-github-event", "")
    if name == "ping":
        return Parsed(answer=Answer(200, {"events": [], "pong": True}))
    try:
        data = _data(name, payload, cast("Options", context.options))
    except Ignored as ignored:
        return ignored.parsed
    actor = _actor(name, payload, context)
    happened = _happened(name, payload, request.received_at)
    address = _callback(name, payload, context)
    return Parsed(tuple(Event(each, actor, happened, address) for each in data))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Answer a report with a 200, and a wrong repository_dispatch with a 4xx, since its author can mend it."""
    return None if request.headers.get("x-github-event") == "repository_dispatch" else refusal(rejected)


def compose(content: Mapping[str, Any], context: Context) -> Outgoing:
    """Compose a repository_dispatch of the first repository."""
    options = cast("Options", context.options)
    first = options.repositories[0]
    repository = {"id": first, "full_name": ""} if isinstance(first, int) else {"id": 0, "full_name": first}
    event = {"type": content["type"], "data": content["data"]}
    payload = {"action": options.dispatch, "branch": "main", "client_payload": event, "repository": repository}
    headers = {"content-type": "application/json", "x-github-event": "repository_dispatch"}
    return Outgoing(headers, json.dumps(payload).encode())


def _payload(request: Request) -> dict[str, Any]:
    """Return the JSON object, which a form has in its field payload.

    https://docs.github.com/webhooks/using-webhooks/creating-webhooks
    """
    body = request.body
    if request.content_type != "application/json":
        form = strict_form.parse(body)
        if set(form) != {"payload"}:
            raise NotAForm("GitHub's form has one field, payload")
        body = form["payload"].encode()
    payload = strict_json.parse_theirs(body)
    if not isinstance(payload, dict):
        raise InvalidEvent("GitHub sends one JSON object")
    return payload


def _data(name: str, payload: dict[str, Any], options: Options) -> list[Data]:
    """Raises Ignored, InvalidEvent."""
    if name not in SHAPES:
        raise Ignored(f"events of the kind {clean(name) or '(none: X-GitHub-Event is missing)'}")
    if missing := [part for part in SHAPES[name] if part not in payload]:
        raise Ignored(f"this is no {name}: {' and '.join(missing)} is missing")
    if not comes_from(payload, options.repositories):
        repository = clean(text(payload, "repository", "full_name"))
        raise Ignored(f"repository {repository!r} is none of options.repositories")
    match name:
        case "workflow_run":
            return trained(payload, options.training)
        case "deployment_status":
            return [deployed(payload, options.deployments)]
        case "deployment_protection_rule":
            return [requested(payload, options.deployments)]
        case "deployment_review":
            return reviewed(payload, options.deployments)
    return [dispatched(payload, options.dispatch)]


def _callback(name: str, payload: dict[str, Any], context: Context) -> str | None:
    """Return the encrypted callback address, if options.answer_by has a channel for the answer."""
    has_channel = cast("Options", context.options).answer_by is not None
    return callback(payload, context) if has_channel and name == "deployment_protection_rule" else None


def _actor(name: str, payload: dict[str, Any], context: Context) -> Actor:
    match name:
        case "deployment_review":
            return _reviewer(payload, context)
        case "deployment_protection_rule":
            return _deployer(payload, context)
    return _machine(context)


def _deployer(payload: dict[str, Any], context: Context) -> Actor:
    """Return the user who made the deployment, for `exclude: [requester]`; else the source.

    The creator of a workflow's deployment is GitHub's own bot; the sender is then the user who started the workflow.
    """
    for person in (at(payload, "deployment", "creator"), at(payload, "sender")):
        account = number(person, "id")
        if account is not None and text(person, "type") == "User":
            return context.policy.actor("github", str(account), clean(text(person, "login")) or str(account))
    return _machine(context)


def _machine(context: Context) -> Actor:
    return Actor(f"source:{context.name}", context.name)


def _reviewer(payload: dict[str, Any], context: Context) -> Actor:
    person = at(payload, "approver") or at(payload, "sender")
    if (account := number(person, "id")) is None:
        raise InvalidEvent("the payload does not say who reviewed: approver.id is missing")
    return context.policy.actor("github", str(account), clean(text(person, "login")) or str(account))


def _happened(name: str, payload: dict[str, Any], received_at: datetime) -> datetime:
    return moment(text(payload, *_HAPPENED[name]), otherwise=received_at) if name in _HAPPENED else received_at
