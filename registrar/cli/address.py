"""`registrar address`."""

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.config.settings import Settings, SettingsError


@click.command()
@click.argument("part", type=click.Choice(["receiver", "mlflow"]))
@formatting.as_json
@click.pass_obj
def address(context: Context, *, part: str, as_json: bool) -> None:
    """Print where the receiver or MLflow is, for scripts.

    \b
    export MLFLOW_TRACKING_URI=$(registrar address mlflow)
    """
    found = _address(context.settings(), part)
    if as_json:
        formatting.json_text({part: found})
    else:
        click.echo(found)


def _address(settings: Settings, part: str) -> str:
    if part == "mlflow":
        return settings.mlflow_uri
    if settings.public_url is None:
        raise SettingsError("REGISTRAR_PUBLIC_URL is not set; it is where senders reach the receiver")
    return settings.public_url


commands = [address]
