"""`registrar check-config`, `policy`, `schema`, `secret`: registrar.yml and what it needs."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml

from registrar import policy as policies
from registrar.cli import formatting
from registrar.cli.context import Context, existing_config
from registrar.cli.formatting import print_json
from registrar.config.key_generation import new_key, new_webhook_secret
from registrar.config.settings import Settings, SettingsError, folder_environment, process_environment
from registrar.errors import UserError
from registrar.policy import Policy, PolicyError, installation_check
from registrar.policy.errors import Complaint
from registrar.policy.explain import explain
from registrar.policy.lint import warnings
from registrar.policy.load import with_lines
from registrar.queries import policy_view
from registrar.text.wording import plural
from webhooks.signatures import source_signing

WARNED = 1


class FileThere(UserError):
    """The file that a secret should go to exists."""

    exit_code = 2


def policy_errors(policy: Policy, *, environ: Mapping[str, str], path: Path) -> list[Complaint]:
    """Return all that keeps receiver and worker from starting with a policy. path: of registrar.yml."""
    problems = [
        *installation_check.unsupported_kinds_and_options(policy),
        *installation_check.unreadable(policy, environ=environ, folder=path.parent),
    ]
    known = {str(at[1]) for at, _ in problems if at[0] == "sources"}
    with suppress(ImportError):  # a source whose extra is not installed here can't be opened
        problems += source_signing.cannot_open(policy, Settings.of_file(path, environ), but=known)
    return problems


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
    path = file or _config_of_last_run(context.data) or existing_config(context.data)
    if path is None:
        raise NoConfig("there is no registrar.yml here; name one, or let `registrar up` write a first one")
    policy = policies.load(path)
    environ = process_environment()
    if (
        problems := policy_errors(policy, environ=environ, path=path)
        if secrets
        else installation_check.unsupported_kinds_and_options(policy)
    ):
        raise PolicyError("\n".join(with_lines(path, problems)))
    addresses = installation_check.bad_addresses(policy, environ=environ, folder=path.parent) if secrets else ()
    warned = with_lines(path, [*warnings(policy), *addresses])
    if as_json:
        digest = policy_view.policy(policy)["digest"]
        formatting.print_json({"file": path, "digest": digest, "explained": list(explain(policy)), "warnings": warned})
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


def _config_of_last_run(data: Path) -> Path | None:
    """Return the path of the registrar.yml that `registrar up` used last."""
    written = folder_environment(data).get("REGISTRAR_CONFIG")
    return Path(written) if written else None


@click.group(invoke_without_command=True)
@click.option("--model", metavar="MODEL", help="With what is in effect for this registered model.")
@formatting.as_json
@click.pass_context
def policy(ctx: click.Context, *, model: str | None, as_json: bool) -> None:
    """Show the policy in effect, without where its secrets are, and its digest; or the one behind a digest.

    \b
    registrar policy
    registrar policy --model churn
    registrar policy show 3fa1c09b         # as `promotions show` and `history --json` have it
    registrar --url https://registrar.example.com policy    # what that receiver goes by

    What a file would mean, in sentences: registrar check-config.
    """
    if not ctx.invoked_subcommand:
        _print_policy_in_effect(ctx.obj, model, as_json=as_json)


def _print_policy_in_effect(context: Context, model: str | None, *, as_json: bool) -> None:
    with context.reading() as reading:
        row = reading.policy(model=model)
    if as_json:
        formatting.print_json(row)
        return
    _print_document(row)
    click.echo(f"\n# digest {row['digest']}")
    if about := row["model"]:
        targets = ", ".join(about["targets"]) or "none"
        click.echo(f"# {about['model']}: by the entry {about['entry'] or '(none)'}, targets {targets}")
        click.echo(f"# what its approvals are bound to: {about['digest']}")


@policy.command("show")
@click.argument("digest", required=False)
@formatting.as_json
@click.pass_obj
def show_policy(context: Context, *, digest: str | None, as_json: bool) -> None:
    """Show what approvals of a DIGEST are bound to: targets, gates, rules and groups' members, in effect or long ago.

    \b
    registrar policy show 3fa1c09b
    registrar policy show 3fa1c09b --json     # text: the digest is its SHA-256

    DIGEST is one that the record names, or its first 8 digits or more; without it, the policy in effect. The journal
    has the text of each since it was first used (policy.used).
    """
    if digest is None:
        _print_policy_in_effect(context, None, as_json=as_json)
        return
    with context.reading() as reading:
        row = reading.policy_text(digest)
    if as_json:
        formatting.print_json(row)
        return
    _print_document(row)
    click.echo(f"\n# digest {row['digest']}")
    used = f"first used {formatting.text(row['used_at'])} by {row['event_id']}" if row["used_at"] else "not used yet"
    click.echo(f"# {used}")


def _print_document(row: Mapping[str, Any]) -> None:
    click.echo(yaml.safe_dump(row["document"], sort_keys=False, allow_unicode=True).rstrip())


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of registrar.yml, with keys as they are written there (`from`, not from_)."""
    schema = Policy.model_json_schema(by_alias=True)
    return {"$schema": _DIALECT, **schema, "title": "registrar.yml"}


@click.command()
def schema() -> None:
    """Print the JSON Schema of registrar.yml, for editors to complete and check it.

    \b
    registrar schema > registrar.schema.json
    """
    print_json(policy_schema())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--webhook", "--standard", "webhook", is_flag=True, help="A Standard Webhooks secret instead (whsec_...)."
)
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there, in place of printing it: a new file that only you can read, and its folder.",
)
def secret(webhook: bool, file: Path | None, as_json: bool) -> None:
    """Make a new key for REGISTRAR_SECRET_KEY, or a source's secret, and print it.

    \b
    registrar secret > secret_key
    registrar secret --webhook --to .registrar/secrets/ci.whsec
    """
    made = new_webhook_secret() if webhook else new_key()
    if file:
        _write_secret(file, made)
    if as_json:
        click.echo(json.dumps({"file": str(file)} if file else {"secret": made}))
    else:
        click.echo(f"{file} has a new secret, and nobody but you can read it" if file else made)


def _write_secret(file: Path, text: str) -> None:
    """Raises FileThere: a secret in use is never overwritten."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileThere(f"{file} exists, and stays as it is: name another file, or move it away") from None
    with open(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{text}\n")
