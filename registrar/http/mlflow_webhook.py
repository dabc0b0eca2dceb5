"""MLflow's webhook to our receiver: find it, make or mend it, test it, delete it, and say what is wrong with it.

https://mlflow.org/docs/latest/ml/webhooks/ . MLflow knows no owner of a webhook, and never shows its secret. Ours is
the one that posts to our address, or whose description has the mark of this installation: so it is found again after
the receiver's address changed, and another installation's on the same server is left alone.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from registrar.config.credentials import without_login
from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings, SettingsError
from registrar.errors import UserError
from registrar.events.types import RegistryChanged
from registrar.http.mlflow_server import MlflowServer
from registrar.http.probe import Answer
from registrar.http.safe_url import at_loopback
from registrar.policy import Policy
from registrar.policy.base_model import matches
from registrar.text.sanitize import shown
from registrar.text.wording import did_you_mean

KIND = "mlflow"  # of the source that takes them (webhooks/sources/mlflow.py)
EVENTS: frozenset[str] = frozenset(get_args(RegistryChanged.model_fields["change"].annotation))
POLL = "set poll_every: 1m under models in registrar.yml, and a worker asks MLflow what changed"
_MARK = re.compile(r"\[registrar:([0-9a-f]{16})\]")
_MAX_NAME = 62  # characters (mlflow.utils.validation._WEBHOOK_NAME_REGEX)
# Seconds for the answer to a test: MLflow posts to the receiver before it answers, and tries four times within 7 s.
_TEST_SECONDS = 12.0


class NoSource(UserError):
    """registrar.yml has no source that MLflow's webhook could post to, or several, or it can't be used."""

    exit_code = 2


class WebhookError(UserError):
    """MLflow did not do what was asked about its webhook. advice: what to do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class NoWebhooks(WebhookError):
    """The server has none, or shows them to nobody with this login."""


@dataclass(frozen=True)
class Webhook:
    """A webhook of MLflow. made: when, in ms by MLflow's clock. mark: of the installation that made it."""

    id: str
    name: str
    url: str
    events: frozenset[str]
    active: bool
    made: int
    mark: str | None


@dataclass(frozen=True)
class Wanted:
    """The webhook that registrar.yml asks for. marks: the first is written; a webhook with any of them is ours."""

    source: str
    url: str
    secret: str = field(repr=False)
    marks: tuple[str, ...]

    def owns(self, webhook: Webhook) -> bool:
        return webhook.url.rstrip("/") == self.url or webhook.mark in self.marks

    def differences(self, webhook: Webhook) -> list[str]:
        """Say what is wrong with our webhook, as ends of a sentence about it."""
        found = [] if webhook.active else ["is disabled"]
        if webhook.url.rstrip("/") != self.url:
            found.append(f"posts to {shown(without_login(webhook.url))}, and not to {self.url}")
        if missing := sorted(EVENTS - webhook.events):
            found.append(f"leaves out {', '.join(missing)}")
        return found


def sources(policy: Policy) -> list[str]:
    """Return the names of the sources that take MLflow's webhooks."""
    return [name for name, source in policy.sources.items() if source.kind == KIND]


def wanted(settings: Settings, policy: Policy, source: str | None = None) -> Wanted:
    """Return the webhook for a source of registrar.yml; without a name, for the only one. Raises NoSource."""
    name = _choose(sources(policy), source)
    if not any(matches(grant.events, RegistryChanged.type) for grant in policy.sources[name].may):
        raise NoSource(f"source {name} may not send {RegistryChanged.type}: add it to sources.{name}.may")
    if not settings.public_url:
        raise NoSource("REGISTRAR_PUBLIC_URL is not set: it is where MLflow reaches the receiver")
    try:
        secret = settings.secret(policy.sources[name].secrets[0])
        digests = Encryptor(settings.secret_key).digests
    except (SettingsError, ValueError) as error:
        raise NoSource(f"sources.{name}: {error}") from None
    where = f"{without_login(settings.ledger_url)} {name}"
    marks = tuple(hashlib.sha256(f"{digest} {where}".encode()).hexdigest()[:16] for digest in digests)
    return Wanted(name, f"{settings.public_url.rstrip('/')}/webhooks/{name}", secret, marks)


def _choose(names: Sequence[str], source: str | None) -> str:
    if source is not None and source not in names:
        raise NoSource(f"registrar.yml has no source {source} of kind {KIND}{did_you_mean(source, names)}")
    if not names:
        raise NoSource(
            f"registrar.yml has no source of kind {KIND}; add one under sources: "
            'mlflow: {kind: mlflow, secrets: ["env:MLFLOW_WEBHOOK_SECRET"], '
            'may: [{events: [registry.changed], models: ["*"]}]}'
        )
    if source is None and len(names) > 1:
        raise NoSource(f"several sources are of kind {KIND}: name one of {', '.join(names)} with --source")
    return source or names[0]


def ours(server: MlflowServer, want: Wanted) -> list[Webhook]:
    """Return our webhooks on a server: one, unless somebody made another. Raises WebhookError, Silence."""
    found, page = [], ""
    while True:
        answer = _read(server.send("GET", f"webhooks?max_results=1000{page}"), server)
        found += [_parse(each) for each in answer.get("webhooks", ())]
        if not (token := answer.get("next_page_token")):
            break
        page = f"&page_token={token}"
    return sorted((each for each in found if want.owns(each)), key=lambda each: (each.made, each.id))


def connect(server: MlflowServer, want: Wanted) -> tuple[Webhook, bool]:
    """Make our webhook, or mend it, and delete others of ours. Returns it, and whether it is new.

    Safe to repeat, also for two at once: both keep the oldest. The secret is written each time, as MLflow does not show
    it. Raises WebhookError, Silence.
    """
    if at_loopback(want.url) and not at_loopback(server.root):
        raise WebhookError(
            f"{server.root} can't reach {want.url}, an address of this machine alone",
            f"Set REGISTRAR_PUBLIC_URL to an address that MLflow can reach; or {POLL}",
        )
    found = ours(server, want)
    if is_new := not found:
        _read(server.send("POST", "webhooks", _content(want)), server)
        found = ours(server, want)
    if not found:
        raise WebhookError("the webhook was deleted as soon as it was made", "Find out who does that in MLflow")
    kept, *others = found
    if not is_new:
        kept = _parse(_read(server.send("PATCH", f"webhooks/{kept.id}", _content(want)), server)["webhook"])
    for other in others:
        _delete(server, other)
    return kept, is_new


def disconnect(server: MlflowServer, want: Wanted) -> list[Webhook]:
    """Delete our webhooks. Returns them. Raises WebhookError, Silence."""
    found = ours(server, want)
    for webhook in found:
        _delete(server, webhook)
    return found


def _delete(server: MlflowServer, webhook: Webhook) -> None:
    """Delete a webhook; another `connect` may have done so just now."""
    if not _is_gone(answer := server.send("DELETE", f"webhooks/{webhook.id}")):
        _read(answer, server)


def deliver_test(server: MlflowServer, webhook: Webhook) -> str | None:
    """Have MLflow post an example to the receiver, which accepts no event for it. Returns None where it arrived, else
    what happened instead, for people. Raises WebhookError, Silence.
    """
    answer = _read(server.send("POST", f"webhooks/{webhook.id}/test", {}, patience=_TEST_SECONDS), server)
    result = answer.get("result", {})
    status, body = result.get("response_status"), str(result.get("response_body") or "")
    if status == 200 and '"test":true' in body.replace(" ", ""):
        return None
    if status:
        what = "the receiver refused its signature (401)" if status == 401 else f"{webhook.url} answered {status}"
        return f"{what}: {shown(body[:200]) or 'nothing'}"
    return f"MLflow could not post it: {shown(str(result.get('error_message') or 'it does not say why')[:300])}"


def _content(want: Wanted) -> dict[str, Any]:
    description = f"Tells Registrar what changes here; `registrar mlflow connect` keeps it. [registrar:{want.marks[0]}]"
    events = [dict(zip(("entity", "action"), name.upper().split("."), strict=True)) for name in sorted(EVENTS)]
    return {
        "name": f"registrar-{want.source}"[:_MAX_NAME].rstrip("-_"),
        "url": want.url,
        "description": description,
        "secret": want.secret,
        "events": events,
        "status": "ACTIVE",
    }


def _parse(answer: Mapping[str, Any]) -> Webhook:
    mark = _MARK.search(str(answer.get("description", "")))
    return Webhook(
        id=str(answer["webhook_id"]),
        name=str(answer.get("name", "")),
        url=str(answer.get("url", "")),
        events=frozenset(f"{each['entity']}.{each['action']}".lower() for each in answer.get("events", ())),
        active=answer.get("status", "ACTIVE") == "ACTIVE",
        made=int(answer.get("creation_timestamp", 0)),
        mark=mark[1] if mark else None,
    )


def _read(answer: Answer, server: MlflowServer) -> Mapping[str, Any]:
    """Return the JSON of an answer about webhooks. Raises WebhookError for a refusal, with what to do."""
    if answer.status == 200 and isinstance(answer.json, dict):
        return answer.json
    message = str(answer.json.get("message", "")) if isinstance(answer.json, dict) else ""
    if _is_gone(answer):
        raise WebhookError("the webhook was deleted just now", "Run `registrar mlflow connect` again")
    match answer.status:
        case 404 | 405 | 501:
            raise NoWebhooks(f"{server.root} has no webhooks: they came with MLflow 3.3", f"Without one, {POLL}")
        case 401:
            raise WebhookError(
                f"{server.root} refuses the login (401)",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
            )
        case 403:
            advice = f"Give `registrar mlflow connect` an admin's MLFLOW_TRACKING_USERNAME and PASSWORD; or {POLL}"
            raise NoWebhooks(f"{server.root} shows its webhooks only to its admins (403)", advice)
        case 400:
            advice = (
                "MLflow posts to public https addresses, unless it runs with MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https "
                "and MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true"
            )
            raise WebhookError(f"MLflow refuses the webhook: {shown(message[:300])}", f"{advice}; or {POLL}")
    raise WebhookError(
        f"{server.root} answers {answer.status} about its webhooks",
        "Set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY, the same for all of MLflow's processes and after restarts; a server "
        f"that stores in files (mlruns) has no webhooks: {POLL}",
    )


def _is_gone(answer: Answer) -> bool:
    """Return whether an answer says that there is no webhook of that id. A server without any answers with no code."""
    return isinstance(answer.json, dict) and answer.json.get("error_code") == "RESOURCE_DOES_NOT_EXIST"
