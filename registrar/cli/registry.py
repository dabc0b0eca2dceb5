"""`registrar rollback`, `registrar prune`: what is asked for about a whole registered model."""

import click

from registrar.cli import command
from registrar.events.types import ModelPrune, ModelRollback


@click.command()
@click.argument("model")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept in the record, and with the version.")
@click.option(
    "--target",
    type=click.Choice(["Staging", "Production"], case_sensitive=False),
    default="Production",
    show_default=True,
    help="Where from.",
)
@click.option("--to", type=click.IntRange(1), metavar="VERSION", help="An earlier holder; else the last that will do.")
@command.options(wait=True)
@click.pass_context
def rollback(ctx: click.Context, *, model: str, reason: str, target: str, to: int | None, how: command.How) -> None:
    """Put the version of MODEL back that was in Production before, and quarantine the one that is.

    \b
    registrar history churn --target production       # which one that is
    registrar rollback churn --reason "wrong fares at night"
    registrar rollback churn --to 3 --reason "wrong fares at night, 4 and 5 too"

    The record says which version held the target before. One that was deployed in vain, and never live, is passed over
    unless it is named. What is quarantined, deleted, or came by hand alone is never gone back to. The present one
    gets a tag in MLflow that keeps it from every target. Asks for a model.rollback, as the token's bearer or this
    machine's local operator. Exit code 0: it is back; 1: it could not be done, or may not; 3: nobody answers.
    """
    named = {"to": to} if to else {}
    command.do(ctx, how, ModelRollback.type, {"model": model, "target": target, "reason": reason, **named})


@click.command()
@click.argument("model")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
@command.options(wait=True)
@click.pass_context
def prune(ctx: click.Context, *, model: str, reason: str | None, how: command.How) -> None:
    """Let go of what MODEL's `retention` in registrar.yml lets go: mark versions, and delete those marked long ago.

    \b
    registrar plan prune churn      # which would go, which stay, and why
    registrar prune churn

    Never what is in use, by an alias, a stage, a promotion or a rollback; each is looked at again right before it goes.
    Asks for a model.prune, as the token's bearer or this machine's local operator. Exit code 0: done, if there was
    anything to do; 1: it could not be done, or may not; 3: nobody answers.
    """
    command.do(ctx, how, ModelPrune.type, {"model": model} | ({"reason": reason} if reason else {}))


commands = [rollback, prune]
