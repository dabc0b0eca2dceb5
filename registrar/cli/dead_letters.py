"""`registrar dead list | show | retry | drop`: tasks that failed for good."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import click

from registrar.cli import command, formatting, params, tables
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.queries.filters import DEAD_STATES
from registrar.queries.query_service import QueryService, Row, up_to

COLUMNS = ("finished_at", "state", "task", "model", "by", "error", "id")
_OTHERS = ("name", "state", "attempts", "started_at", "finished_at", "id")
_MOST = 10_000


class NotSent(UserError):
    """A task can't be retried or dropped; the message says why."""

    exit_code = 2


model = click.option("--model", type=params.MODEL, help="Those about this registered model alone.")


@click.group()
def dead() -> None:
    """Show work that failed for good; try it again, or drop it.

    \b
    registrar dead list
    registrar dead show tsk_5d0c...
    registrar dead retry tsk_5d0c... --reason "MLflow is back" --wait
    registrar dead drop tsk_5d0c... --reason "a typo"
    """


@dead.command("list")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in DEAD_STATES]),
    help="failed: it can't work; dead: its time is used up.",
)
@model
@formatting.limit
@formatting.as_json
@click.pass_obj
def list_dead(context: Context, *, state: str | None, model: str | None, limit: int, as_json: bool) -> None:
    """List what failed for good and was neither tried again nor dropped, newest first.

    \b
    registrar dead list --model churn
    """
    with context.reading() as reading:
        found = _listed(reading, state=state, model=model, limit=limit)
    if as_json:
        formatting.print_json(found)
    else:
        formatting.table(COLUMNS, [_row(each) for each in found], empty="nothing failed for good")


def _listed(reading: QueryService, *, state: str | None = None, model: str | None, limit: int) -> list[Row]:
    return up_to(limit, lambda most, cursor: reading.dead(state=state, model=model, limit=most, cursor=cursor))


def _row(each: Row) -> tuple[object, ...]:
    verb = each["name"].removeprefix("worker.")
    return each["finished_at"], each["state"], verb, each["model"], each["actor_name"], each["error"], each["id"]


@dead.command("show")
@click.argument("task_id", metavar="TASK")
@formatting.as_json
@click.pass_obj
def show_dead(context: Context, task_id: str, as_json: bool) -> None:
    """Tell the whole story of a task: what was asked for, by whom, what went wrong, and what may be done.

    \b
    registrar dead show tsk_5d0c...
    """
    with context.reading() as reading:
        found = reading.dead_one(task_id)
    if as_json:
        formatting.print_json(found)
    else:
        click.echo("\n".join(_lines(found)))
        others = [task for task in found["event"]["tasks"] if task["id"] != task_id]
        click.echo("\nthe other tasks of its event:" if others else "\nits event has no other tasks")
        formatting.table(_OTHERS, formatting.pick(others, _OTHERS), empty="")


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    event = found["event"]
    for name in ("id", "state", "name", "lane", "model"):
        yield f"{name:<12} {tables.state(found[name]) if name == 'state' else formatting.text(found[name])}"
    yield f"{'event':<12} {event['type']} {event['id']}"
    yield f"{'by':<12} {event['actor_name']}, through the source {event['source']}"
    for name in ("accepted_at", "started_at", "finished_at"):
        yield f"{name:<12} {formatting.text(found[name])}"
    yield f"{'attempts':<12} {found['attempts']}; its worker died in {found['crashes']} of them"
    yield f"{'data':<12} {json.dumps(event['data'], ensure_ascii=False)}"
    yield f"{'args':<12} {json.dumps(found['args'], ensure_ascii=False)}"
    yield f"{'error':<12} {formatting.text(found['error'])}"
    yield from formatting.intervention_lines(task for task in event["tasks"] if task["id"] == found["id"])
    yield f"{'try again':<12} {_may(found['no_retry'], 'retry', found['id'])}"
    yield f"{'or drop it':<12} {_may(found['no_drop'], 'drop', found['id'])}"


def _may(why_not: str | None, verb: str, task_id: str) -> str:
    needs = ' --reason "..."' if verb == "drop" else ""
    return f"no: {why_not}" if why_not else f"registrar dead {verb} {task_id}{needs}"


@dead.command()
@click.argument("task_ids", metavar="TASK...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that are listed, the first accepted first.")
@model
@click.option("--reason", help="Why; it is kept in the record.")
@command.options()
@click.pass_context
def retry(
    ctx: click.Context,
    *,
    task_ids: tuple[str, ...],
    every: bool,
    model: str | None,
    reason: str | None,
    how: command.How,
) -> None:
    """Try work again that failed for good: at its old place, with a fresh budget of time and attempts.

    \b
    registrar dead retry tsk_5d0c... --reason "MLflow is back" --wait
    registrar dead retry --all --model churn

    Asks for a task.retry of each, as the token's bearer or this machine's local operator. Exit codes are those of
    `registrar send`; with --wait, 0 means that the work itself succeeded.
    """
    if every == bool(task_ids) or (model and not every):
        raise click.UsageError("name the tasks, or say --all, perhaps with --model")
    with ctx.obj.reading() as reading:
        ids = [each["id"] for each in _listed(reading, model=model, limit=_MOST)] if every else task_ids
        found = [reading.dead_one(id_) for id_ in ids]
    if every:
        found.sort(key=lambda each: (each["accepted_at"], each["created_at"]))
    refused = {each["id"]: each["no_retry"] for each in found if each["no_retry"]}
    _report_refused(refused, every=every)
    asked = [(each, {"reason": reason} if reason else {}) for each in found if each["id"] not in refused]
    _send(ctx, how, "task.retry", asked)


@dead.command()
@click.argument("task_ids", metavar="TASK...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why it may stay undone; it is kept in the record.")
@command.options()
@click.pass_context
def drop(
    ctx: click.Context,
    *,
    task_ids: tuple[str, ...],
    reason: str,
    how: command.How,
) -> None:
    """Leave work undone that failed for good; it is listed no more.

    \b
    registrar dead drop tsk_5d0c... --reason "a typo"

    Asks for a task.drop of each, as the token's bearer or this machine's local operator.
    """
    drop_all(ctx, how, task_ids, reason)


def drop_all(ctx: click.Context, how: command.How, task_ids: Sequence[str], reason: str) -> NoReturn:
    """Ask for a task.drop of each, and exit. Raises NotSent where one can't be."""
    with ctx.obj.reading() as reading:
        found = [reading.dead_one(id_) for id_ in task_ids]
    _report_refused({each["id"]: each["no_drop"] for each in found if each["no_drop"]}, every=False)
    asked = [(each, {"reason": reason}) for each in found]
    _send(ctx, how, "task.drop", asked)


def _report_refused(refused: Mapping[str, str], *, every: bool) -> None:
    """Raise NotSent for tasks that were named; with --all only print those that are left out."""
    if refused and not every:
        raise NotSent("; ".join(refused.values()))
    for why in refused.values():
        click.echo(f"left out: {why}", err=True)


def _send(ctx: click.Context, how: command.How, type_: str, asked: list[tuple[Row, dict[str, str]]]) -> NoReturn:
    if not asked:
        click.echo("there is nothing to send", err=True)
    receipts = []
    for task, more in asked:
        data = {"task_id": task["id"], **({"model": task["model"]} if task["model"] else {}), **more}
        receipts.append(command.submit(how.context, type_, data))
    retried = {receipt.id: task["event_id"] for receipt, (task, _) in zip(receipts, asked, strict=True)}
    then = (lambda event: retried[event["id"]]) if type_ == "task.retry" else None
    ctx.exit(command.report_receipts(receipts, how, then=then, token=how.context.receiver.token))
