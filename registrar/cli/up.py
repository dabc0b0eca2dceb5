"""`registrar up`."""

from pathlib import Path

import click

from registrar.cli import preflight
from registrar.cli.context import HERE, Context, existing_config
from registrar.cli.progress import Screen
from registrar.config.credentials import without_login
from registrar.config.settings import process_environment
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
        serve(stack, when_ready=lambda ready: _tell(ready, screen))
        screen.say("all stopped")


def _tell(stack: Stack, screen: Screen) -> None:
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


commands = [up]
