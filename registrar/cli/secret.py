"""`registrar secret`."""

import click

from registrar.keys import new_key, new_webhook_secret


@click.command()
@click.option(
    "--webhook", "--standard", "webhook", is_flag=True, help="A Standard Webhooks secret instead (whsec_...)."
)
def secret(webhook: bool) -> None:
    """Make a new key for REGISTRAR_SECRET_KEY, or a source's secret, and print it."""
    click.echo(new_webhook_secret() if webhook else new_key())


commands = [secret]
