"""`registrar queue list | drop`: what is not done yet, what it waits for, and what should never be done."""

import click

from registrar.cli import command, dead_letters, formatting
from registrar.cli.context import Context
from registrar.queries.query_service import Row, up_to

COLUMNS = ("lane", "task", "by", "attempts", "waits", "id")


@click.group()
def queue() -> None:
    """Show what waits and whose turn it is; drop what stands in the way.

    \b
    registrar queue list --model churn
    registrar queue drop tsk_5d0c... --reason "its search is too much for MLflow"
    """


@queue.command("list")
@dead_letters.model
@formatting.limit
@formatting.as_json
@click.pass_obj
def list_queue(context: Context, *, model: str | None, limit: int, as_json: bool) -> None:
    """List what is queued or running, lane by lane in the order of its turns, and what each waits for.

    \b
    registrar queue list --model churn
    """
    with context.reading() as reading:
        found = up_to(limit, lambda most, cursor: reading.queue(model=model, limit=most, cursor=cursor))
    if as_json:
        formatting.print_json(found)
    else:
        formatting.table(COLUMNS, [_row(each) for each in found], empty="nothing waits")


def _row(each: Row) -> tuple[object, ...]:
    what = f"{each['name'].removeprefix('worker.')} for {each['event_type']}"
    return each["lane"], what, each["actor_name"], each["attempts"], each["why"], each["id"]


@queue.command("drop")
@click.argument("task_ids", metavar="TASK...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why it is never to be done; it is kept in the record.")
@command.options()
@click.pass_context
def drop_queued(ctx: click.Context, *, task_ids: tuple[str, ...], reason: str, how: command.How) -> None:
    """Drop work that waits: it is never begun, and what waits behind it goes on.

    \b
    registrar queue drop tsk_5d0c... --reason "its search is too much for MLflow"

    Asks for a task.drop of each, as the token's bearer or this machine's local operator. A promotion that it was to
    bring on has failed with it, and the requester is notified. What a worker is at right now can't be dropped.
    """
    dead_letters.drop_all(ctx, how, task_ids, reason)
