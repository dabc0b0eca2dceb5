"""`registrar mlflow connect | status | disconnect`: MLflow's webhook to this installation's receiver."""

from collections.abc import Callable
from typing import TypeVar

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.http import mlflow_webhook
from registrar.http.mlflow_server import MlflowServer
from registrar.http.mlflow_webhook import Wanted, Webhook, WebhookError
from registrar.http.probe import Silence

Result = TypeVar("Result")
FAILED = 1
_source = click.option("--source", metavar="NAME", help="Of kind mlflow in registrar.yml; else the only one.")


class NotConnected(UserError):
    """MLflow does not answer, or refuses what was asked about its webhook."""


@click.group("mlflow")
def mlflow() -> None:
    """Have MLflow tell of each change in its registry, by a webhook of its own.

    \b
    registrar mlflow connect
    """


@mlflow.command()
@_source
@formatting.as_json
@click.pass_context
def connect(ctx: click.Context, *, source: str | None, as_json: bool) -> None:
    """Make MLflow's webhook to this installation, or mend it, and have MLflow send a test.

    \b
    registrar mlflow connect
    MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=... registrar mlflow connect   # with basic-auth

    It posts to REGISTRAR_PUBLIC_URL/webhooks/NAME, signed with the source's first secret: run this again where either
    has changed. It may be run at any time; another installation's webhook is left alone. `registrar up` does this by
    itself. A server before 3.3 has no webhooks: set poll_every in registrar.yml. Exit code 0: the test arrived; 1: it
    did not, or MLflow refuses; 2: registrar.yml has no such source.
    """
    server, want = _reach(ctx.obj, source)
    webhook, is_new = _ask(lambda: mlflow_webhook.connect(server, want))
    trouble = _ask(lambda: mlflow_webhook.deliver_test(server, webhook))
    if as_json:
        formatting.print_json(_as_json(webhook) | {"created": is_new, "test": trouble or "arrived"})
    else:
        done = "made" if is_new else "brought up to date"
        click.echo(f"{server.root}: the webhook {webhook.name} to {want.url} was {done}")
        click.echo(f"a test did not arrive: {trouble}" if trouble else "a test of it arrived", err=bool(trouble))
    ctx.exit(FAILED if trouble else 0)


@mlflow.command()
@_source
@formatting.as_json
@click.pass_context
def status(ctx: click.Context, *, source: str | None, as_json: bool) -> None:
    """Show MLflow's webhook to this installation, and what is wrong with it; nothing is changed or sent.

    \b
    registrar mlflow status

    `registrar doctor` also has MLflow send a test. Exit code 0: it stands; 1: it does not.
    """
    server, want = _reach(ctx.obj, source)
    found = _ask(lambda: mlflow_webhook.ours(server, want))
    troubles = [f"it {wrong}" for webhook in found for wrong in want.differences(webhook)]
    troubles = troubles or ([] if found else ["there is none; `registrar mlflow connect` makes it"])
    if as_json:
        formatting.print_json({"webhooks": [_as_json(webhook) for webhook in found], "trouble": troubles})
    else:
        for webhook in found:
            click.echo(f"{server.root}: the webhook {webhook.name} posts to {formatting.text(webhook.url)}")
        click.echo("; ".join(troubles) or "it stands", err=bool(troubles))
    ctx.exit(FAILED if troubles else 0)


@mlflow.command()
@_source
@formatting.as_json
@click.pass_obj
def disconnect(context: Context, *, source: str | None, as_json: bool) -> None:
    """Delete MLflow's webhook to this installation; others stay.

    \b
    registrar mlflow disconnect
    """
    server, want = _reach(context, source)
    gone = _ask(lambda: mlflow_webhook.disconnect(server, want))
    if as_json:
        formatting.print_json([_as_json(webhook) for webhook in gone])
    else:
        click.echo(f"deleted {', '.join(webhook.name for webhook in gone)}" if gone else "there was none")


def _reach(context: Context, source: str | None) -> tuple[MlflowServer, Wanted]:
    settings = context.settings()
    want = mlflow_webhook.wanted(settings, context.policy(), source)
    return MlflowServer(settings.mlflow_uri, settings.environ), want


def _ask(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except WebhookError as error:
        raise NotConnected(f"{error}\n{error.advice}") from None
    except Silence as silence:
        raise NotConnected(f"{silence}\nIs MLflow up, and is MLFLOW_TRACKING_URI right?") from None


def _as_json(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": sorted(webhook.events),
        "active": webhook.active,
    }
