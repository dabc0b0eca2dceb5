"""`registrar events`, `registrar events show ID`."""

import json
from typing import Any

import click
from sqlalchemy import Connection

from registrar.cli import deeds, show
from registrar.cli.context import Context
from registrar.ledger import status
from registrar.ledger.archived import place
from registrar.ledger.backlog import unfinished
from registrar.problem import Problem

COLUMNS = ("accepted_at", "type", "model", "source", "actor_name", "id")
_TASK = ("name", "state", "attempts", "started_at", "finished_at", "id")


class NoSuchEvent(Problem):
    """The ledger has no event of that id."""


@click.group(invoke_without_command=True)
@show.limit
@show.as_json
@click.pass_context
def events(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List what was accepted, newest first; `events show ID` says what became of one."""
    if ctx.invoked_subcommand:
        return
    context: Context = ctx.obj
    with context.ledger() as ledger, ledger.read() as connection:
        found, waiting = status.latest(connection, limit=limit), unfinished(connection)
    if as_json:
        show.json_text(found)
        return
    show.table(COLUMNS, show.pick(found, COLUMNS), empty="no event was accepted yet")
    if waiting:
        of_each = ", ".join(f"{count:,} of {source}" for source, count in waiting.items())
        click.echo(f"{sum(waiting.values()):,} tasks are not done yet: {of_each}", err=True)


@events.command("show")
@click.argument("event_id", metavar="ID")
@show.as_json
@click.pass_obj
def show_event(context: Context, event_id: str, as_json: bool) -> None:
    """Show one event, its tasks and what came of them."""
    with context.ledger() as ledger, ledger.read() as connection:
        found = status.event(connection, event_id)
        if found is None:
            raise missing(connection, event_id)
    if as_json:
        show.json_text(found)
    else:
        tell(found)


def missing(connection: Connection, event_id: str) -> NoSuchEvent:
    """Of an event that the ledger does not have, or not any more."""
    if at := place(connection, event_id):
        return NoSuchEvent(
            f"{event_id} was archived on {at.started_at:%Y-%m-%d}, into {at.folder}/{at.name}: "
            f"registrar archive show {event_id}"
        )
    return NoSuchEvent(f"the ledger has no event {event_id}; `registrar events` lists those it has")


def tell(event: dict[str, Any]) -> None:
    """One event, for people."""
    for name in ("id", "type", "state", "model", "source", "actor_name", "occurred_at", "accepted_at"):
        click.echo(f"{name:<12} {show.text(event[name])}")
    click.echo(f"{'data':<12} {json.dumps(event['data'], ensure_ascii=False)}")
    if "archive" in event:
        click.echo(f"{'archive':<12} {event['archive']}")
    click.echo("\n".join([*deeds.replays(event), *deeds.settled(event["tasks"]), ""]))
    show.table(_TASK, show.pick(event["tasks"], _TASK), empty="it has no tasks")
    for task in event["tasks"]:
        said = task["error"] or (task["outcome"] or {}).get("summary")
        if said:
            click.echo(f"{task['name']}: {said}")


commands = [events]
