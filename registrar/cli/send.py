"""`registrar send`: signs an event, or a captured request, as its source would, and posts it."""

from datetime import UTC, datetime
from typing import IO, Any

import click
import requests
from click.core import ParameterSource

from registrar.cli import params
from registrar.cli.command import How, check_data, new_id, options, report_receipts
from registrar.cli.signed_request import Answer, Target, send_event, send_request
from webhooks.signatures import source_signing

STDIN = "<stdin>"


@click.command()
@click.argument("type_", metavar="[TYPE]", required=False)
@click.argument("words", nargs=-1, type=params.Words(), metavar="[KEY=VALUE]...")
@click.option(
    "--data-json", callback=params.json_object, metavar="JSON", help="The data as one object, in place of KEY=VALUE."
)
@click.option(
    "--to", callback=params.url, metavar="URL", help="The receiver; else that of the installation in the data folder."
)
@click.option("--source", default="ci", show_default=True, help="The source of registrar.yml to sign as.")
@click.option("--secret", metavar="REF", help="env:NAME or file:PATH of its secret; else the source's first.")
@options()
@click.option("--kind", metavar="KIND", help="Of a source that no registrar.yml here knows; with --to and --secret.")
@click.option(
    "--fixture",
    type=click.File("rb"),
    metavar="FILE",
    help="Post this request, signed again: of a .http file, or - for stdin, headers and body; else the body alone.",
)
@click.option("--header", "headers", multiple=True, type=params.Header(), help="NAME:VALUE, for a --fixture.")
@click.option(
    "--id",
    "id_",
    callback=params.delivery_id,
    metavar="ID",
    help="Of the delivery: sent twice, it is taken once. Else a new one each time.",
)
@click.option("--timestamp", callback=params.time, metavar="TIME", help="When it happened: 2026-11-22T12:00:00Z.")
@click.option("--no-check", is_flag=True, help="Send it even where it is no valid event.")
@click.pass_context
def send(
    ctx: click.Context,
    *,
    type_: str | None,
    words: tuple[params.Word, ...],
    data_json: dict[str, Any] | None,
    to: str | None,
    source: str,
    secret: str | None,
    how: How,
    kind: str | None,
    fixture: IO[bytes] | None,
    headers: tuple[tuple[str, str], ...],
    id_: str | None,
    timestamp: datetime | None,
    no_check: bool,
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
    chosen = ctx.get_parameter_source("source") is not ParameterSource.DEFAULT
    target = Target(ctx.obj, source, to, secret, kind, chosen)
    id_given, id_ = id_, id_ or new_id()
    if fixture:
        if type_ or data_json is not None:
            raise click.UsageError("give TYPE KEY=VALUE... or --fixture, not both")
        opened = target.open_source()
        name = str(getattr(fixture, "name", STDIN))
        whole = name == STDIN or name.endswith(".http")
        request = source_signing.captured(fixture.read(), whole=whole, headers=dict(headers))
        ctx.exit(_report_answer(send_request(target, opened, request, id=id_), how))
    if type_ is None:
        raise click.UsageError("say which event to send, such as training_run.finished; or a request with --fixture")
    if words and data_json is not None:
        raise click.UsageError("give KEY=VALUE or --data-json, not both")
    data = data_json if data_json is not None else params.nested(words)
    if not no_check:
        check_data(type_, data, signed=True)
    at = timestamp or (None if id_given else datetime.now(UTC))  # sent again with its --id, it is the same body
    token = target.client.token if target.client else None
    ctx.exit(_report_answer(send_event(target, type_, data, at=at, id=id_), how, token=token))


def _report_answer(answer: Answer, how: How, *, token: str | None = None) -> int:
    """Print what came of a delivery and return the exit code. token: of the caller, if there is one."""
    if not isinstance(answer, requests.Response):
        return report_receipts(answer, how, token=token)
    click.echo(answer.text if how.as_json else f"answered {answer.status_code}: {answer.text.strip()}")
    return 0
