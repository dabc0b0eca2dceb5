"""`registrar up`, `registrar demo`: all parts on this machine."""

from collections.abc import Iterator
from pathlib import Path

import click

from registrar import policy as policies
from registrar.cli import preflight
from registrar.cli.context import HERE, Context, existing_config
from registrar.cli.progress import Screen
from registrar.config.credentials import without_login
from registrar.config.settings import Settings, process_environment
from registrar.demo.screen import on_screen
from registrar.demo.show import Show
from registrar.errors import UserError
from registrar.http import mlflow_webhook
from registrar.http.mlflow_server import MlflowServer
from registrar.http.mlflow_webhook import WebhookError
from registrar.http.probe import Silence
from registrar.local import Stack, serve
from registrar.local.data_folder import Folder


@click.command()
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="REGISTRAR_CONFIG",
    show_envvar=True,
    help="registrar.yml; else ./registrar.yml, else a commented one is written into the data folder.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The receiver's port; else that of the last run, or any.")
@click.option("--mlflow", metavar="URI", help="Use this MLflow server instead of starting one.")
@click.option("--ledger", metavar="URL", help="Keep the ledger there: postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
@click.option("--broker", metavar="URL", help="Use this broker: redis://..., sentinel://... or amqp://USER:PW@HOST//.")
@click.pass_obj
def up(
    context: Context,
    *,
    config: Path | None,
    port: int | None,
    mlflow: str | None,
    ledger: str | None,
    broker: str | None,
) -> None:
    """Start everything on this machine: Redis, MLflow, receiver, worker and beat.

    Data, logs and secrets are in the data folder, and there they are the next time. Ctrl-C stops all. Before anything
    is started, it looks at what it needs: packages, registrar.yml and its secrets, addresses, the ledger, the folder.
    Where registrar.yml has a source of kind mlflow, MLflow gets a webhook to it (see registrar mlflow connect).

    \b
    registrar up
    registrar --data /srv/registrar up --config registrar.yml --mlflow http://mlflow.example.com:5000
    """
    context.started_here()
    preflight.packages(own_mlflow=not mlflow, ledger=ledger)
    preflight.addresses(mlflow=mlflow, ledger=ledger, broker=broker)
    chosen = config or existing_config(context.data)
    warned = list(preflight.policy(chosen)) if chosen else []
    preflight.ledger(ledger or Folder(context.data.absolute()).ledger_url)
    with Screen() as screen:
        say, progress = screen.say, screen.progress
        if chosen == HERE and not config:
            say(f"{HERE.absolute()} is used, for it is in this folder; --config FILE names another")
        for line in warned:
            say(f"warning: {line}")
        stack = Stack(context.data, chosen, port, say, progress=progress, mlflow=mlflow, ledger=ledger, broker=broker)
        if not mlflow and (other := process_environment().get("MLFLOW_TRACKING_URI")):
            screen.say(
                f"MLFLOW_TRACKING_URI={without_login(other)} is not used; to use that server: "
                "registrar up --mlflow $MLFLOW_TRACKING_URI"
            )
        serve(stack, when_ready=lambda ready: _begin(ready, screen))
        screen.say("all stopped")


def _begin(stack: Stack, screen: Screen) -> None:
    for line in _connect_mlflow(stack):
        screen.say(line)
    _print_addresses(stack, screen)


def _connect_mlflow(stack: Stack) -> Iterator[str]:
    """Make MLflow's webhook to each source that takes it, or mend it: ports and secrets may be others than last time.

    Yields lines for people. What goes wrong stops nothing: `registrar doctor` says it, too.
    """
    policy = policies.load(stack.config)
    settings = Settings.read({**process_environment(), **stack.environment})
    server = MlflowServer(settings.mlflow_uri, settings.environ)
    for source in mlflow_webhook.sources(policy):
        try:
            webhook, _ = mlflow_webhook.connect(server, mlflow_webhook.wanted(settings, policy, source))
        except WebhookError as error:
            yield f"warning: MLflow tells source {source} of no change: {error}. {error.advice}"
        except (UserError, Silence) as error:
            yield f"warning: MLflow tells source {source} of no change: {error}"
        else:
            yield f"{'webhook':<9} {webhook.name} in MLflow tells source {source} what changes there"


def _print_addresses(stack: Stack, screen: Screen) -> None:
    at = stack.addresses
    screen.progress("running; Ctrl-C stops all")
    screen.say(
        f"\nRegistrar is up.\n"
        f"  dashboard  {at.receiver_url}\n"
        f"  webhooks   {at.receiver_url}/webhooks/SOURCE\n"
        f"  MLflow     {without_login(at.mlflow_url)}\n"
        f"  policy     {stack.config}\n"
        f"  data       {stack.folder.path}\n"
        f"  logs       {stack.folder.path / 'logs'}\n"
        f"What waits for whom: registrar overview. Is every part well: registrar doctor\n"
    )


@click.command()
@click.option(
    "--exit", "leave", is_flag=True, help="End after the pass: exit code 0 if all was as it should be, else 1."
)
@click.option("--kill-worker", is_flag=True, hidden=True, help="kill -9 the worker in the middle: nothing may be lost.")
@click.pass_context
def demo(ctx: click.Context, leave: bool, kill_worker: bool) -> None:
    """Play the main job on this machine, end to end, and stay up until Ctrl-C.

    Two trainings, two signed events, a gate, an approval in a chat, one model in Production. All parts are started
    as `registrar up` does, with a policy of the demo's own in the data folder; run again, it goes on from there.

    \b
    registrar demo
    registrar demo --exit     # end after it, for CI
    """
    context: Context = ctx.obj
    context.started_here()
    preflight.packages(own_mlflow=True, ledger=None)
    preflight.ledger(Folder(context.data.absolute()).ledger_url)
    with on_screen() as screen:
        code = Show(context.data, screen, leave=leave, kill_worker=kill_worker).run()
    ctx.exit(code)
