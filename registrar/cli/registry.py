"""`registrar rollback`, `prune`, `adopt`, `reconcile`: commands about a whole registered model."""

import click

from registrar.cli import command, params
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.queries.query_service import pages


@click.command()
@click.argument("model", type=params.MODEL)
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept in the record, and with the version.")
@click.option(
    "--target",
    type=params.TARGET,
    default="Production",
    show_default=True,
    help="Where from.",
)
@click.option("--to", type=params.VERSION, metavar="VERSION", help="An earlier holder; else the last that will do.")
@command.options(wait=True)
@click.pass_context
def rollback(ctx: click.Context, *, model: str, reason: str, target: str, to: int | None, how: command.How) -> None:
    """Put the version of MODEL back that was in Production before, and quarantine the one that is.

    \b
    registrar history churn --target production       # which one that is
    registrar rollback churn --reason "wrong fares at night"
    registrar rollback churn --to 3 --reason "wrong fares at night, 4 and 5 too"

    The record says which version held the target before. One whose deployment failed, and that was never live, is
    passed over unless it is named. A version that is quarantined, deleted, or came by hand alone is never restored. The
    present one gets a tag in MLflow that keeps it from every target. Asks for a model.rollback, as the token's bearer
    or this machine's local operator. Exit code 0: it is back; 1: it could not be done, or may not; 3: nobody answers.
    """
    named = {"to": to} if to else {}
    command.submit_and_exit(ctx, how, "model.rollback", {"model": model, "target": target, "reason": reason, **named})


@click.command()
@click.argument("model", type=params.MODEL)
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
@command.options(wait=True)
@click.pass_context
def prune(ctx: click.Context, *, model: str, reason: str | None, how: command.How) -> None:
    """Mark the versions of MODEL that `retention` in registrar.yml lets go, and delete those marked long ago.

    \b
    registrar plan prune churn      # which would go, which stay, and why
    registrar prune churn

    Never what is in use, by an alias, a stage, a promotion or a rollback; each is looked at again right before it goes.
    Asks for a model.prune, as the token's bearer or this machine's local operator. Exit code 0: done, if there was
    anything to do; 1: it could not be done, or may not; 3: nobody answers.
    """
    command.submit_and_exit(ctx, how, "model.prune", {"model": model} | ({"reason": reason} if reason else {}))


@click.command()
@click.argument("model", required=False)
@click.option("--all", "everything", is_flag=True, help="Every model of MLflow that registrar.yml names.")
@click.option("--plan", is_flag=True, help="Say what would come of it; nothing is written.")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the record.")
@command.options(wait=True)
@click.pass_context
def adopt(
    ctx: click.Context, *, model: str | None, everything: bool, plan: bool, reason: str | None, how: command.How
) -> None:
    """Take in MODEL, whose versions MLflow had before Registrar: who holds what, and the newest version.

    \b
    registrar adopt churn --plan     # what each version would become, and who holds what
    registrar adopt churn
    registrar adopt --all --plan

    Nothing is moved. What holds a stage or an alias in MLflow holds it in the record from then on. The newest version,
    if it holds nothing, is tagged and asked for the first target, as if it had been registered now; older ones are
    known, and nothing is asked for. Versions that are registered in MLflow later need no command: they are taken in.
    Asks for a model.adopt, as the token's bearer or this machine's local operator. Exit code 0: done, if there was
    anything to do; 1: it could not be done, or may not; 3: nobody answers.
    """
    if (model is None) != everything:
        raise click.UsageError("name a model, or say --all")
    data = {"model": model, "plan": plan, "reason": reason}
    given = {name: value for name, value in data.items() if value}
    if plan:
        command.print_answer_and_exit(ctx, how, "model.adopt", given)
    command.submit_and_exit(ctx, how, "model.adopt", given)


class NothingHeld(UserError):
    """The record has no holder, so there is nothing to compare."""


@click.command()
@click.argument("model", type=params.MODEL, required=False)
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
    registrar reconcile churn                   # changes by hand are reported, recorded or reverted
    registrar reconcile churn --plan            # what it would mean that MLflow counts, or the record
    registrar reconcile churn --trust mlflow --reason "MLflow is right, the ledger was restored"

    --trust is for where the two tell of different pasts, and nothing is moved until you say: after MLflow or the
    ledger was restored from a backup, or another MLflow was pointed at. docs/how-to/operations.md says which.
    """
    if reason and not trust:
        raise click.UsageError("--reason is for --trust")
    settle = {"trust": trust, "plan": plan, "reason": reason}
    data = {name: value for name, value in settle.items() if value}
    type_ = "registry.settle" if data else "registry.reconcile"
    for each in (models := [model] if model else _list_held_models(how.context)):
        command.check_data(type_, {"model": each, **data})
    receipts = [command.submit(how.context, type_, {"model": each, **data}) for each in models]
    ctx.exit(command.report_receipts(receipts, how, token=how.context.receiver.token))


def _list_held_models(context: Context) -> list[str]:
    with context.reading() as reading:
        found = [
            row for page in pages(None, lambda most, cursor: reading.models(limit=most, cursor=cursor)) for row in page
        ]
    if held := [str(row["model"]) for row in found if row["holders"]]:
        return held
    raise NothingHeld("the record knows of no model that holds a stage or an alias")
