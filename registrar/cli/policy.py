"""`registrar policy`: registrar.yml as it is in effect."""

import click
import yaml

from registrar.cli import show
from registrar.cli.context import Context


@click.command()
@click.option("--model", metavar="MODEL", help="With what is in effect for this registered model.")
@show.as_json
@click.pass_obj
def policy(context: Context, *, model: str | None, as_json: bool) -> None:
    """Show the policy in effect, without where its secrets are; and its digest.

    \b
    registrar policy
    registrar policy --model churn
    registrar --url https://registrar.example.com policy    # what that receiver goes by

    What a file would mean, in sentences: registrar check-config.
    """
    with context.reading() as reading:
        found = reading.policy(model=model)
    if as_json:
        show.json_text(found)
        return
    click.echo(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True).rstrip())
    click.echo(f"\n# digest {found['digest']}")
    if about := found["model"]:
        targets = ", ".join(about["targets"]) or "none"
        click.echo(f"# {about['model']}: by the entry {about['entry'] or '(none)'}, targets {targets}")
        click.echo(f"# what its approvals are bound to: {about['digest']}")


commands = [policy]
