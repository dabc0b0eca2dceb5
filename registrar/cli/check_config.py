"""`registrar check-config`."""

from pathlib import Path

import click

from registrar import policy as policies
from registrar.cli import formatting
from registrar.cli.context import Context, existing_config
from registrar.config.settings import SettingsError, folder_environment, process_environment
from registrar.policy import PolicyError, installation_check
from registrar.policy.explain import explain
from registrar.policy.lint import warnings
from registrar.policy.load import located
from registrar.queries import policy_view
from registrar.text.wording import plural

WARNED = 1


class NoConfig(SettingsError):
    """There is no registrar.yml to check."""


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), required=False, envvar="REGISTRAR_CONFIG")
@click.option("--secrets/--no-secrets", default=True, help="Whether each secret must be readable from here.")
@formatting.as_json
@click.pass_context
def check_config(ctx: click.Context, *, file: Path | None, secrets: bool, as_json: bool) -> None:
    """Explain what registrar.yml grants, asks and tells, and check it.

    \b
    registrar check-config
    registrar check-config deploy/registrar.yml --no-secrets     # in CI, where they are not

    Exit code 0: it is fine; 1: Registrar starts with it, but something in it can never do what it says, such as an
    outcome that there is not: a warning names each place; 2: Registrar does not start with it, or there is none.
    """
    context: Context = ctx.obj
    context.started_here()
    path = file or _written(context.data) or existing_config(context.data)
    if path is None:
        raise NoConfig("there is no registrar.yml here; name one, or let `registrar up` write a first one")
    policy = policies.load(path)
    environ = process_environment()
    if (
        wrong := installation_check.errors(policy, environ=environ, path=path)
        if secrets
        else installation_check.misfits(policy)
    ):
        raise PolicyError("\n".join(located(path, wrong)))
    addresses = installation_check.bad_addresses(policy, environ=environ, folder=path.parent) if secrets else ()
    warned = located(path, [*warnings(policy), *addresses])
    if as_json:
        digest = policy_view.policy(policy)["digest"]
        formatting.json_text({"file": path, "digest": digest, "explained": list(explain(policy)), "warnings": warned})
    else:
        click.echo("\n".join([*explain(policy), ""]))
        for line in warned:
            click.echo(f"warning: {line}", err=True)
        click.echo(_verdict(path, warned, secrets=secrets))
    ctx.exit(WARNED if warned else 0)


def _verdict(path: Path, warned: list[str], *, secrets: bool) -> str:
    if warned:
        return f"{path} can be used, with {plural(len(warned), 'warning')}"
    return f"{path} is fine" + ("; every secret can be read" if secrets else "")


def _written(data: Path) -> Path | None:
    """The one that `registrar up` used last."""
    written = folder_environment(data).get("REGISTRAR_CONFIG")
    return Path(written) if written else None


commands = [check_config]
