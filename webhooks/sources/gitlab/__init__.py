"""GitLab: pipelines and jobs that trained a model, and deployments.

https://docs.gitlab.com/user/project/integrations/webhooks/
Verified by a signing token (Standard Webhooks), or by the older secret token (X-Gitlab-Token): only by the one that
`verify` names. GitLab disables a hook after four 4xx in a row, so every verified request gets a 200 with the result; an
unusable one is in `rejections`, too. Pipeline variables are secrets, and are not read.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from registrar.events.event import Actor, Event
from registrar.policy.base_model import Strict
from webhooks.ci.payload import Ignored, Repository, moment, text
from webhooks.ingress import strict_json
from webhooks.ingress.errors import BadSignature, InvalidEvent, Rejected
from webhooks.ingress.source_types import Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.gitlab.hooks import (
    Deployment,
    HookEvents,
    Training,
    comes_from,
    deployed,
    job,
    pipeline,
    project_of,
)

CONTENT_TYPES = frozenset({"application/json"})
_KNOWN_KINDS = frozenset({"pipeline", "build", "deployment"})


class Options(Strict):
    """projects: those whose events count, by path or number. verify: the kind of token in the hook's settings."""

    verify: Literal["signing_token", "secret_token"] = "signing_token"
    projects: Annotated[list[Repository], Field(min_length=1)]
    training: list[Training] = []
    deployments: list[Deployment] = []


def check_secret(secret: str) -> None:
    if secret.startswith("whsec_"):
        verifier.check_secret(schemes.GITLAB, secret)
    elif not re.fullmatch(r"[!-+\--~]{16,200}", secret):
        raise WeakSecret("a secret token needs 16 to 200 ASCII characters, without spaces and commas")


def check(context: Context) -> None:
    """Refuse a signing token that is used as a secret token: it would be sent with each request."""
    signing = _options(context).verify == "signing_token"
    if all(secret.startswith("whsec_") == signing for secret in context.secrets):
        return
    raise WeakSecret(
        "the secret is no signing token (whsec_...); for the hook's secret token set options.verify: secret_token"
        if signing
        else "the secret is a signing token (whsec_...): set options.verify: signing_token"
    )


def scheme(context: Context) -> Scheme | None:
    return schemes.GITLAB if _options(context).verify == "signing_token" else None


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    """Add the secret token."""
    del now
    return outgoing if scheme(context) else outgoing.with_headers({"x-gitlab-token": secret})


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. webhook-id is signed by a signing token; with a secret token no id is signed."""
    if _options(context).verify == "signing_token":
        return verifier.verified(schemes.GITLAB, request, context)
    token = request.headers.get("x-gitlab-token", "").encode("utf-8", "replace")
    matching = [index for index, secret in enumerate(context.secrets) if hmac.compare_digest(token, secret.encode())]
    if not matching:
        raise BadSignature
    return Verified(None, matching[0])


def normalise(request: Request, context: Context) -> Parsed:
    payload = strict_json.parse_theirs(request.body)
    if not isinstance(payload, dict):
        raise InvalidEvent("GitLab sends one JSON object")
    try:
        hook = _read(payload, _options(context))
    except Ignored as ignored:
        return ignored.parsed
    at = moment(hook.at, otherwise=request.received_at)
    actor = Actor(f"source:{context.name}", context.name)
    return Parsed(tuple(Event(data, actor, at) for data in hook.data))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200. A temporary failure stays one: GitLab lists it, and can send it again."""
    return None if rejected.status == 429 or rejected.status >= 500 else {"events": [], "refused": rejected.detail}


def _options(context: Context) -> Options:
    return cast("Options", context.options)


def _read(payload: dict[str, Any], options: Options) -> HookEvents:
    """Read a hook by object_kind, which is signed; X-Gitlab-Event is not. Raises Ignored, InvalidEvent.

    Hooks of groups and of the whole GitLab have an event_name instead: user_add_to_group, project_create.
    """
    kind = text(payload, "object_kind") or text(payload, "event_name")
    if not kind:
        raise InvalidEvent(
            "the payload has no object_kind: a custom template of the hook must keep GitLab's own fields"
        )
    if kind not in _KNOWN_KINDS:
        raise Ignored(f"events of the kind {clean(kind)}")
    if not comes_from(payload, options.projects):
        raise Ignored(f"{project_of(payload)} is none of options.projects")
    match kind:
        case "pipeline":
            return pipeline(payload, options.training)
        case "build":
            return job(payload, options.training)
    return deployed(payload, options.deployments)
