"""`registrar send`: signs an event by Standard Webhooks and posts it, as a CI job would."""

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from registrar.cli import given, show
from registrar.cli.context import Context
from registrar.delivery import Address, Receipt, compose, follow, post
from registrar.problem import Problem
from registrar.settings import process_environment, resolve
from registrar.vocabulary import UnknownType, parse

SOURCE = "ci"
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


def _address(context: Context, source: str, to: str | None, secret: str | None) -> Address:
    """As given; what is not, as the installation in the data folder has it. Raises Problem."""
    if secret:
        value = resolve(secret, environ=process_environment(), folder=Path())
    else:
        value = context.settings().secret(_first_secret(context, source))
    base = to or context.settings().public_url or ""
    return Address(base if "/webhooks/" in urlsplit(base).path else f"{base.rstrip('/')}/webhooks/{source}", value)


def _first_secret(context: Context, name: str) -> str:
    sources = context.policy().sources
    if name not in sources:
        raise Problem(f"registrar.yml has no source {name!r}, only {', '.join(sources)}; choose one with --source")
    return sources[name].secrets[0]


@click.command()
@click.argument("type_", metavar="TYPE")
@click.argument("words", nargs=-1, type=given.Words(), metavar="[KEY=VALUE]...")
@click.option(
    "--data-json", callback=given.json_object, metavar="JSON", help="The data as one object, in place of KEY=VALUE."
)
@click.option(
    "--to", callback=given.url, metavar="URL", help="The receiver; else that of the installation in the data folder."
)
@click.option("--source", default=SOURCE, show_default=True, help="The source of registrar.yml to send as.")
@click.option("--secret", metavar="REF", help="env:NAME or file:PATH of a whsec_ secret; else the source's first.")
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
    type_: str,
    words: tuple[given.Word, ...],
    data_json: dict[str, Any] | None,
    to: str | None,
    source: str,
    secret: str | None,
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

    VALUE is text, or JSON where it begins with [, { or ". Exit code 0: accepted (with --wait: and succeeded);
    1: refused, failed, or unfinished after --timeout; 2: not sent, something is wrong with it; 3: nobody answers.
    """
    data = data_json if data_json is not None else given.nested(words)
    if words and data_json is not None:
        raise click.UsageError("give KEY=VALUE or --data-json, not both")
    if not no_check:
        _check(type_, data)
    at = timestamp or (None if id_ else datetime.now(UTC))  # sent again with its --id, it is the same body
    to_ = _address(ctx.obj, source, to, secret)
    receipt = post(to_, compose(type_, data, at=at), id=id_ or f"msg_{uuid.uuid4().hex}")
    ctx.exit(_tell(receipt, follow(receipt.status_url, seconds=timeout) if wait else None, as_json=as_json))


def _tell(receipt: Receipt, event: dict[str, Any] | None, *, as_json: bool) -> int:
    """The exit code."""
    if as_json:
        show.json_text(event or asdict(receipt))
    else:
        before = "was accepted before, as" if receipt.repeated else "accepted as"
        click.echo(f"{receipt.type} {before} {receipt.id}")
        click.echo("\n".join(_result(event)) if event else f"what becomes of it: {receipt.status_url}")
    return 0 if event is None or event["state"] == "succeeded" else FAILED


def _result(event: dict[str, Any]) -> list[str]:
    """A line for each task, and one for all."""
    return [*map(_task, event["tasks"]), str(event["state"])]


def _task(task: dict[str, Any]) -> str:
    summary = (task["outcome"] or {}).get("summary", "")
    return f"  {task['state']:<9}  {task['name']:<18}  {task['error'] or summary}".rstrip()


commands = [send]
