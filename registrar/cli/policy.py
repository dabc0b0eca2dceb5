"""`registrar policy`: registrar.yml as it is in effect; `policy show DIGEST`: what a promotion was bound to."""

from collections.abc import Mapping
from typing import Any

import click
import yaml

from registrar.cli import formatting
from registrar.cli.context import Context


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
        _in_effect(ctx.obj, model, as_json=as_json)


def _in_effect(context: Context, model: str | None, *, as_json: bool) -> None:
    with context.reading() as reading:
        found = reading.policy(model=model)
    if as_json:
        formatting.json_text(found)
        return
    _document(found)
    click.echo(f"\n# digest {found['digest']}")
    if about := found["model"]:
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
        _in_effect(context, None, as_json=as_json)
        return
    with context.reading() as reading:
        found = reading.policy_text(digest)
    if as_json:
        formatting.json_text(found)
        return
    _document(found)
    click.echo(f"\n# digest {found['digest']}")
    used = (
        f"first used {formatting.text(found['used_at'])} by {found['event_id']}" if found["used_at"] else "not used yet"
    )
    click.echo(f"# {used}")


def _document(found: Mapping[str, Any]) -> None:
    click.echo(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True).rstrip())


commands = [policy]
