"""`registrar rejections`."""

import click

from registrar.cli import show
from registrar.cli.context import Context
from registrar.ledger.rejections import latest

COLUMNS = ("at", "source", "status", "code", "size", "detail")


@click.command()
@show.limit
@show.as_json
@click.pass_obj
def rejections(context: Context, limit: int, as_json: bool) -> None:
    """List what was refused at the door and why, newest first."""
    with context.ledger() as ledger, ledger.read() as connection:
        found = latest(connection, limit=limit)
    if as_json:
        show.json_text(found)
    else:
        show.table(COLUMNS, show.pick(found, COLUMNS), empty="nothing was refused")


commands = [rejections]
