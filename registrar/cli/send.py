"""`registrar send`: signs an event, or a captured request, as its source would, and posts it."""

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import click
import requests
from pydantic import ValidationError

from registrar.cli import given, show
from registrar.cli.context import Context
from registrar.delivery import Address, Receipt, compose, deliver, follow, post, receipts_of
from registrar.policy import Source
from registrar.problem import Problem
from registrar.settings import process_environment, resolve
from registrar.vocabulary import UnknownType, parse

SOURCE = "ci"
STANDARD = "standard"
STDIN = "<stdin>"
FAILED = 1


def _check(type_: str, data: dict[str, Any]) -> None:
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


@dataclass(frozen=True)
class Target:
    """Where it goes, and as whom. secret, kind: as given on the command line."""

    context: Context
    source: str
    to: str | None
    secret: str | None
    kind: str | None

    @property
    def url(self) -> str:
        base = self.to or self.context.settings().public_url or ""
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


def _sending() -> Any:
    """webhooks/sending.py, which this package may not import: it offers itself by name."""
    [entry] = entry_points(group="registrar.sending")
    return entry.load()


@click.command()
@click.argument("type_", metavar="[TYPE]", required=False)
@click.argument("words", nargs=-1, type=given.Words(), metavar="[KEY=VALUE]...")
@click.option(
    "--data-json", callback=given.json_object, metavar="JSON", help="The data as one object, in place of KEY=VALUE."
)
@click.option(
    "--to", callback=given.url, metavar="URL", help="The receiver; else that of the installation in the data folder."
)
@click.option("--source", default=SOURCE, show_default=True, help="The source of registrar.yml to send as.")
@click.option("--secret", metavar="REF", help="env:NAME or file:PATH of its secret; else the source's first.")
@click.option("--kind", metavar="KIND", help="Of a source that no registrar.yml here knows; with --to and --secret.")
@click.option(
    "--fixture",
    type=click.File("rb"),
    metavar="FILE",
    help="Post this request, signed anew: of a .http file, or - for stdin, headers and body; else the body alone.",
)
@click.option("--header", "headers", multiple=True, type=given.Header(), help="NAME:VALUE, for a --fixture.")
@click.option(
    "--id",
    "id_",
    callback=given.delivery_id,
    metavar="ID",
    help="Of the delivery: sent twice, it is taken once. Else a new one each time.",
)
@click.option("--timestamp", callback=given.time, metavar="TIME", help="When it happened: 2026-11-22T12:00:00Z.")
@click.option("--wait", is_flag=True, help="Wait until all is done, and print what came of it.")
@click.option("--timeout", default=300.0, show_default=True, metavar="SECONDS", help="How long --wait waits.")
@click.option("--no-check", is_flag=True, help="Send it even where it is no valid event.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def send(
    ctx: click.Context,
    *,
    type_: str | None,
    words: tuple[given.Word, ...],
    data_json: dict[str, Any] | None,
    to: str | None,
    source: str,
    secret: str | None,
    kind: str | None,
    fixture: IO[bytes] | None,
    headers: tuple[tuple[str, str], ...],
    id_: str | None,
    timestamp: datetime | None,
    wait: bool,
    timeout: float,
    no_check: bool,
    as_json: bool,
) -> None:
    """Sign an event and post it.

    \b
    registrar send training_run.finished model=nyc-taxi-regressor run_id=0123abcd commit=4f5e6d --wait
    registrar send model_version.register model=churn search.experiment=churn \\
        search.filter_string='metrics.rmse < 7' search.order_by='["metrics.rmse ASC"]'
    registrar send training_run.finished --to https://registrar.example.com --secret env:REGISTRAR_SECRET \\
        --id "build-$CI_JOB_ID" model=churn run_id=0123abcd

    A source of another kind signs in its own way, and what is captured from a sender can be posted again:

    \b
    registrar send training_run.finished model=churn run_id=0123abcd --source github
    registrar send --fixture approve.http --source slack

    VALUE is text, or JSON where it begins with [, { or ". Exit code 0: accepted (with --wait: and succeeded);
    1: refused, failed, or unfinished after --timeout; 2: not sent, something is wrong with it; 3: nobody answers.
    """
    target = Target(ctx.obj, source, to, secret, kind)
    id_given, id_ = id_, id_ or f"msg_{uuid.uuid4().hex}"
    show_ = partial(_tell, wait=timeout if wait else None, as_json=as_json)
    if fixture:
        if type_ or data_json is not None:
            raise click.UsageError("give TYPE KEY=VALUE... or --fixture, not both")
        sending = _sending()
        sender = target.sender(sending)
        name = str(getattr(fixture, "name", STDIN))
        whole = name == STDIN or name.endswith(".http")
        request = sending.captured(fixture.read(), whole=whole, headers=dict(headers))
        ctx.exit(show_(_post_as(sending, sender, target, request, id=id_)))
    if type_ is None:
        raise click.UsageError("say which event to send, such as training_run.finished; or a request with --fixture")
    if words and data_json is not None:
        raise click.UsageError("give KEY=VALUE or --data-json, not both")
    data = data_json if data_json is not None else given.nested(words)
    if not no_check:
        _check(type_, data)
    at = timestamp or (None if id_given else datetime.now(UTC))  # sent again with its --id, it is the same body
    if target.is_standard:
        ctx.exit(show_([post(target.address(), compose(type_, data, at=at), id=id_)]))
    sending = _sending()
    sender = target.sender(sending)
    request = sending.composed(sender, json.loads(compose(type_, data, at=at)))
    ctx.exit(show_(_post_as(sending, sender, target, request, id=id_)))


def _post_as(sending: Any, sender: Any, target: Target, request: Any, *, id: str) -> list[Receipt] | requests.Response:
    """Signed as the source's kind does it. The receipts, or an answer without any. Raises Problem."""
    signed = sending.signed(sender, request, secret=target.own_secret(), id=id)
    answer = deliver(target.url, signed.body, signed.headers)
    return receipts_of(target.url, answer) or answer


def _tell(receipts: list[Receipt] | requests.Response, *, wait: float | None, as_json: bool) -> int:
    """The exit code. wait: so many seconds for what becomes of each event; an answer without events is shown."""
    if isinstance(receipts, requests.Response):
        click.echo(receipts.text if as_json else f"answered {receipts.status_code}: {receipts.text.strip()}")
        return 0
    followed = [
        (receipt, follow(receipt.status_url, seconds=wait) if wait is not None else None) for receipt in receipts
    ]
    if as_json:
        found = [event or asdict(receipt) for receipt, event in followed]
        show.json_text(found[0] if len(found) == 1 else found)
    else:
        for receipt, event in followed:
            before = "was accepted before, as" if receipt.repeated else "accepted as"
            click.echo(f"{receipt.type} {before} {receipt.id}")
            click.echo("\n".join(_result(event)) if event else f"what becomes of it: {receipt.status_url}")
    return 0 if all(event is None or event["state"] == "succeeded" for _, event in followed) else FAILED


def _result(event: dict[str, Any]) -> list[str]:
    """A line for each task, and one for all."""
    return [*map(_task, event["tasks"]), str(event["state"])]


def _task(task: dict[str, Any]) -> str:
    summary = (task["outcome"] or {}).get("summary", "")
    return f"  {task['state']:<9}  {task['name']:<18}  {task['error'] or summary}".rstrip()


commands = [send]
