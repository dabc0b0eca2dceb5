"""`registrar migrate`."""

import click

from registrar.cli.context import Context
from registrar.ledger.migrate import migrate as bring_up_to_date


@click.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Bring the ledger's schema up to date."""
    with context.ledger(checked=False) as ledger:
        revision = bring_up_to_date(ledger)
    click.echo(f"the ledger is at revision {revision}")


commands = [migrate]
