"""`registrar reconcile`: compare MLflow with the record, and say which of them counts where one was restored."""

import click

from registrar.cli import command
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.queries.query_service import pages


class NothingHeld(UserError):
    """The record knows of nobody who holds anything."""


@click.command()
@click.argument("model", required=False)
@click.option(
    "--trust",
    type=click.Choice(["mlflow", "ledger"]),
    help="Which counts: mlflow, and the record takes over what it shows; ledger, and MLflow is put back.",
)
@click.option("--plan", is_flag=True, help="Say what each, or --trust, would do; nothing is moved or recorded.")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
@command.options(wait=True)
@click.pass_context
def reconcile(
    ctx: click.Context, *, model: str | None, trust: str | None, plan: bool, reason: str | None, how: command.How
) -> None:
    """Compare MLflow with the record, of MODEL or of every model that the record knows a holder of.

    \b
    registrar reconcile churn                   # what was changed by hand is told, recorded or put back
    registrar reconcile churn --plan            # what it would mean that MLflow counts, or the record
    registrar reconcile churn --trust mlflow --reason "MLflow is right, the ledger was restored"

    --trust is for where the two tell of different pasts, and nothing is moved until you say: after MLflow or the
    ledger was restored from a backup, or another MLflow was pointed at. docs/how-to/operations.md says which to choose.
    """
    if reason and not trust:
        raise click.UsageError("--reason is for --trust")
    settle = {"trust": trust, "plan": plan, "reason": reason}
    data = {name: value for name, value in settle.items() if value}
    type_ = "registry.settle" if data else "registry.reconcile"
    for each in (models := [model] if model else _held(how.context)):
        command.check(type_, {"model": each, **data})
    receipts = [command.give(how.context, type_, {"model": each, **data}) for each in models]
    ctx.exit(command.tell(receipts, how, token=how.context.receiver.token))


def _held(context: Context) -> list[str]:
    with context.reading() as reading:
        found = [
            row for page in pages(None, lambda most, cursor: reading.models(limit=most, cursor=cursor)) for row in page
        ]
    if held := [str(row["model"]) for row in found if row["holders"]]:
        return held
    raise NothingHeld("the record knows of no model that holds a stage or an alias")


commands = [reconcile]
