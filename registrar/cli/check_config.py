"""`registrar check-config`."""

from pathlib import Path

import click

from registrar import policy as policies
from registrar.cli import show
from registrar.cli.config import existing_config
from registrar.cli.context import Context
from registrar.policy import PolicyError, fit
from registrar.policy.explain import explain
from registrar.policy.load import located
from registrar.reading import shown
from registrar.settings import SettingsError, folder_environment, process_environment


class NoConfig(SettingsError):
    """There is no registrar.yml to check."""


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), required=False, envvar="REGISTRAR_CONFIG")
@click.option("--secrets/--no-secrets", default=True, help="Whether each secret must be readable from here.")
@show.as_json
@click.pass_obj
def check_config(context: Context, *, file: Path | None, secrets: bool, as_json: bool) -> None:
    """Explain what registrar.yml grants, asks and tells, and check it.

    \b
    registrar check-config
    registrar check-config deploy/registrar.yml --no-secrets     # in CI, where they are not

    Exit code 0: it is fine; 2: it can't work, and each place that is wrong is named.
    """
    context.started_here()
    path = file or _written(context.data) or existing_config(context.data)
    if path is None:
        raise NoConfig("there is no registrar.yml here; name one, or let `registrar up` write a first one")
    policy = policies.load(path)
    if not as_json:
        click.echo("\n".join(explain(policy)))
    readable = fit.unreadable(policy, environ=process_environment(), folder=path.parent) if secrets else ()
    complaints = [*fit.misfits(policy), *readable]
    if complaints:
        raise PolicyError("this can't work:\n" + "\n".join(located(path, complaints)))
    if as_json:
        show.json_text({"file": path, "digest": shown.policy(policy)["digest"], "explained": list(explain(policy))})
    else:
        click.echo(f"\n{path} is fine" + ("; every secret can be read" if secrets else ""))


def _written(data: Path) -> Path | None:
    """The one that `registrar up` used last."""
    written = folder_environment(data).get("REGISTRAR_CONFIG")
    return Path(written) if written else None


commands = [check_config]
