"""`registrar secret`."""

import json

import click

from registrar.config.key_generation import new_key, new_webhook_secret


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--webhook", "--standard", "webhook", is_flag=True, help="A Standard Webhooks secret instead (whsec_...)."
)
def secret(webhook: bool, as_json: bool) -> None:
    """Make a new key for REGISTRAR_SECRET_KEY, or a source's secret, and print it.

    \b
    registrar secret > secret_key
    registrar secret --webhook > ci.whsec
    """
    made = new_webhook_secret() if webhook else new_key()
    click.echo(json.dumps({"secret": made}) if as_json else made)


commands = [secret]
