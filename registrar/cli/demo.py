"""`registrar demo`."""

import click

from registrar.cli import preflight
from registrar.cli.context import Context
from registrar.demo.screen import on_screen
from registrar.demo.show import Show
from registrar.local.data_folder import Folder


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


commands = [demo]
