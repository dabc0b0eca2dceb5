"""What commands that send share: as whom, where to, signed how; and what is told of the answer."""

import json
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import wraps
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import click
import requests
from click.core import ParameterSource
from pydantic import ValidationError

from registrar.cli import given, show
from registrar.cli.context import Context
from registrar.client import Client
from registrar.delivery import Address, Receipt, compose, deliver, follow, post, receipts_of
from registrar.policy import Source
from registrar.problem import Problem
from registrar.settings import process_environment, resolve
from registrar.vocabulary import UnknownType, parse

STANDARD = "standard"
FAILED = 1
_IN_VAIN = frozenset({"promotion.vote_refused", "promotion.void"})

Answer = list[Receipt] | requests.Response  # a response: an answer without events, as of a chat system


def new_id() -> str:
    """Of a delivery."""
    return f"msg_{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Target:
    """Where it goes, and as whom. secret, kind: as given on the command line; chosen: so was the source."""

    context: Context
    source: str
    to: str | None
    secret: str | None
    kind: str | None = None
    chosen: bool = False

    @property
    def client(self) -> Client | None:
        """Of a receiver elsewhere, where it is the token's bearer who asks; None: a source does, and signs."""
        signed = self.to or self.secret or self.kind or self.chosen
        return None if signed else self.context.remote

    @property
    def url(self) -> str:
        elsewhere = self.context.remote
        base = self.to or (elsewhere.url if elsewhere else self.context.settings().public_url) or ""
        return base if "/webhooks/" in urlsplit(base).path else f"{base.rstrip('/')}/webhooks/{self.source}"

    @property
    def is_standard(self) -> bool:
        """Whether our own event JSON is what it takes, signed by Standard Webhooks."""
        return (self.kind or self._known_kind() or STANDARD) == STANDARD

    def own_secret(self) -> str | None:
        return resolve(self.secret, environ=process_environment(), folder=Path()) if self.secret else None

    def address(self) -> Address:
        """As given; what is not, as the installation in the data folder has it. Raises Problem."""
        secret = self.own_secret() or self.context.settings().secret(self._configured().secrets[0])
        return Address(self.url, secret)

    def sender(self, sending: Any) -> Any:
        """The source as webhooks/sending.py knows it. Raises Problem."""
        if self.kind is None and self._known_kind():
            return sending.opened(self.source, self.context.policy(), self.context.settings())
        if (secret := self.own_secret()) is None:
            raise click.UsageError("--kind is for a source of another installation: it needs --secret and --to")
        return sending.stranger(self.kind or STANDARD, self.source, secret)

    def _known_kind(self) -> str | None:
        """Of the source, by the installation here. None where there is none, and a secret makes up for it."""
        try:
            return self._configured().kind
        except Problem:
            if self.secret:
                return None
            raise

    def _configured(self) -> Source:
        sources = self.context.policy().sources
        if self.source not in sources:
            known = ", ".join(sources)
            raise Problem(f"registrar.yml has no source {self.source!r}, only {known}; choose one with --source")
        return sources[self.source]


@dataclass(frozen=True)
class How:
    """What `options` made of the command line. wait: so many seconds for what becomes of it; None: not at all."""

    target: Target
    wait: float | None
    as_json: bool


def options(*, source: str, wait: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of every command that sends; it is called with `how`. source, wait: the defaults."""
    told = (
        click.option(
            "--to",
            callback=given.url,
            metavar="URL",
            help="The receiver; else that of the installation in the data folder.",
        ),
        click.option("--source", default=source, show_default=True, help="The source of registrar.yml to sign as."),
        click.option("--secret", metavar="REF", help="env:NAME or file:PATH of its secret; else the source's first."),
        click.option("--wait/--no-wait", default=wait, help="Wait until all is done, and print what came of it."),
        click.option("--timeout", default=300.0, show_default=True, metavar="SECONDS", help="How long --wait waits."),
        show.as_json,
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        called: Callable[..., Any] = _called(command)
        for option in reversed(told):
            called = option(called)
        return called

    return add


def _called(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def called(
        *args: Any,
        to: str | None,
        source: str,
        secret: str | None,
        wait: bool,
        timeout: float,
        as_json: bool,
        **more: Any,
    ) -> Any:
        ctx = click.get_current_context()
        chosen = ctx.get_parameter_source("source") is not ParameterSource.DEFAULT
        target = Target(ctx.obj, source, to, secret, chosen=chosen)
        return command(*args, how=How(target, timeout if wait else None, as_json), **more)

    return called


def sending() -> Any:
    """webhooks/sending.py, which this package may not import: it offers itself by name."""
    [entry] = entry_points(group="registrar.sending")
    return entry.load()


def check(type_: str, data: dict[str, Any]) -> None:
    """What the receiver would refuse, refused here. Raises click.UsageError."""
    try:
        parse(type_, data)
    except UnknownType as error:
        raise click.UsageError(str(error)) from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_url=False)
        ]
        lines = [f"this is no {type_} (--no-check sends it as it is):", *wrong]
        raise click.UsageError("\n  ".join(lines)) from None


def sent(target: Target, type_: str, data: dict[str, Any], *, at: datetime | None, id: str) -> Answer:
    """Post one of our events, signed as the source's kind does it; or ask for it with a token. Raises Problem."""
    if target.client:
        return [target.client.command(type_, data, key=id)]
    if target.is_standard:
        return [post(target.address(), compose(type_, data, at=at), id=id)]
    known = sending()
    sender = target.sender(known)
    return posted(known, sender, target, known.composed(sender, json.loads(compose(type_, data, at=at))), id=id)


def posted(sending: Any, sender: Any, target: Target, request: Any, *, id: str) -> Answer:
    """Signed as the source's kind does it. The receipts, or an answer without any. Raises Problem."""
    signed = sending.signed(sender, request, secret=target.own_secret(), id=id)
    answer = deliver(target.url, signed.body, signed.headers)
    return receipts_of(target.url, answer) or answer


def tell(receipts: Answer, how: How, *, then: Callable[[dict[str, Any]], str] | None = None) -> int:
    """The exit code. An answer without events is shown.

    then: of an event that succeeded, the id of the one that goes on with it: waited for in its turn.
    """
    if isinstance(receipts, requests.Response):
        click.echo(receipts.text if how.as_json else f"answered {receipts.status_code}: {receipts.text.strip()}")
        return 0
    with show.working("waiting for what comes of it") if how.wait is not None else nullcontext():
        followed = [
            (receipt, _followed(receipt, how.wait, then) if how.wait is not None else []) for receipt in receipts
        ]
    if how.as_json:
        found = [events[-1] if events else asdict(receipt) for receipt, events in followed]
        show.json_text(found[0] if len(found) == 1 else found)
    else:
        for receipt, events in followed:
            before = "was accepted before, as" if receipt.repeated else "accepted as"
            click.echo(f"{receipt.type} {before} {receipt.id}")
            click.echo("\n".join(_result(events)) if events else f"what becomes of it: {receipt.status_url}")
    return 0 if all(not events or _is_done(events[-1]) for _, events in followed) else FAILED


def _is_done(event: dict[str, Any]) -> bool:
    """A vote that did not count, or was void, was answered, but is not what was asked for."""
    facts = [fact for task in event["tasks"] for fact in (task["outcome"] or {}).get("facts", ())]
    return event["state"] == "succeeded" and all(fact["type"] not in _IN_VAIN for fact in facts)


def _followed(receipt: Receipt, seconds: float, then: Callable[[dict[str, Any]], str] | None) -> list[dict[str, Any]]:
    event = follow(receipt.status_url, seconds=seconds)
    if then is None or event["state"] != "succeeded":
        return [event]
    return [event, follow(urljoin(receipt.status_url, then(event)), seconds=seconds)]


def _result(events: list[dict[str, Any]]) -> list[str]:
    """A line for each task, and one for all."""
    first, *others = events
    more = [line for event in others for line in (f"then {event['type']} {event['id']}", *map(_task, event["tasks"]))]
    return [*map(_task, first["tasks"]), *more, str(events[-1]["state"])]


def _task(task: dict[str, Any]) -> str:
    summary = (task["outcome"] or {}).get("summary", "")
    return f"  {task['state']:<9}  {task['name']:<18}  {task['error'] or summary}".rstrip()
