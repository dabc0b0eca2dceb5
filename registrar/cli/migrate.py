"""`registrar migrate`."""

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.ledger.migrate import migrate as bring_up_to_date


@click.command()
@formatting.as_json
@click.pass_obj
def migrate(context: Context, *, as_json: bool) -> None:
    """Bring the ledger's schema up to date.

    \b
    registrar migrate
    """
    with formatting.working("migrating"), context.ledger(checked=False) as ledger:
        revision = bring_up_to_date(ledger)
    if as_json:
        formatting.json_text({"revision": revision})
        return
    click.echo(f"the ledger is at revision {revision}")


commands = [migrate]
