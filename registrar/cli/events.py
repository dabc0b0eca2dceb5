"""`registrar events list | show | tail` and `registrar rejections`: accepted events, their results, and refusals."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import Any

import click

from registrar.cli import formatting, params, tables
from registrar.cli.context import Context
from registrar.queries.filters import EVENT_STATES, EventFilter
from registrar.queries.query_service import MOST, Archived, QueryService, Row, Unknown, up_to
from registrar.text.wording import plural

COLUMNS = ("accepted_at", "state", "type", "model", "source", "actor_name", "id")
_TAIL, _TAIL_WIDTHS = ("at", "type", "model", "by", "id"), (0, 24, 24)
_TASK = ("name", "state", "attempts", "started_at", "finished_at", "id")


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose events; the command is called with `wanted`."""
    options = (
        click.option("--source", metavar="NAME", help="Of this source; web: done on pages or by the API."),
        click.option("--type", metavar="TYPE", help="Such as training_run.finished."),
        click.option("--model", type=params.MODEL, metavar="MODEL", help="About this registered model."),
        click.option(
            "--actor",
            type=params.ACTOR,
            metavar="ID",
            help="By whom: a person's id in registrar.yml, source:NAME, token:NAME.",
        ),
        click.option("--state", type=click.Choice([str(state) for state in EVENT_STATES]), help="What became of it."),
        click.option(
            "--since", type=params.Time(), help="Accepted then or later: 2026-11-22T14:30, in UTC unless it says."
        ),
        click.option("--until", type=params.Time(), help="Accepted before."),
    )

    @wraps(command)
    def called(
        *args: Any,
        source: str | None,
        type: str | None,
        model: str | None,
        actor: str | None,
        state: Any,
        since: datetime | None,
        until: datetime | None,
        **more: Any,
    ) -> Any:
        return command(*args, wanted=EventFilter(source, type, model, actor, state, since, until), **more)

    decorated: Callable[..., Any] = called
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


@click.group(invoke_without_command=True)
@filter_options
@formatting.limit
@formatting.as_json
@click.pass_context
def events(ctx: click.Context, wanted: EventFilter, limit: int, as_json: bool) -> None:
    """List what was accepted, newest first; show one with what became of it; follow what comes in.

    \b
    registrar events                                  # the same as: registrar events list
    registrar events list --model churn --state failed
    registrar events show evt_91ab...
    registrar events tail --type training_run.finished
    """
    if not ctx.invoked_subcommand:
        _list(ctx.obj, wanted, limit=limit, as_json=as_json)


@events.command("list")
@filter_options
@formatting.limit
@formatting.as_json
@click.pass_obj
def list_events(context: Context, wanted: EventFilter, limit: int, as_json: bool) -> None:
    """List what was accepted, newest first.

    \b
    registrar events list --model churn --since 2026-11-22
    registrar events list --source ci --state dead --json
    """
    _list(context, wanted, limit=limit, as_json=as_json)


def _list(context: Context, wanted: EventFilter, *, limit: int, as_json: bool) -> None:
    with context.reading() as reading:
        found = up_to(limit, lambda most, cursor: reading.events(wanted, limit=most, cursor=cursor))
        waiting = {} if as_json else reading.overview()["unfinished"]
    if as_json:
        formatting.print_json(found)
        return
    empty = "no event was accepted yet" if wanted == EventFilter() else "no such event was accepted"
    formatting.table(COLUMNS, formatting.pick(found, COLUMNS), empty=empty)
    if waiting:
        of_each = ", ".join(f"{count:,} of {source}" for source, count in waiting.items())
        click.echo(f"{plural(sum(waiting.values()), 'task is', 'tasks are')} not done yet: {of_each}", err=True)


@events.command("show")
@click.argument("event_id", metavar="EVENT")
@formatting.as_json
@click.pass_obj
def show_event(context: Context, event_id: str, as_json: bool) -> None:
    """Show one event, its tasks and what came of them.

    \b
    registrar events show evt_91ab...
    """
    with context.reading() as reading:
        try:
            found = reading.event(event_id)
        except Archived as error:
            when, _, how = str(error).partition(": ")
            raise Unknown(f"{when}, into {error.file}: {how}") from None
    if as_json:
        formatting.print_json(found)
    else:
        print_event(found)


@events.command()
@filter_options
@click.option("-n", "--last", type=click.IntRange(0, MOST), default=10, show_default=True, help="So many first.")
@click.option("--count", type=click.IntRange(1), help="End after so many, those first ones included.")
@click.option("--every", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Seconds between looks.")
@formatting.as_json
@click.pass_obj
def tail(context: Context, *, wanted: EventFilter, last: int, count: int | None, every: float, as_json: bool) -> None:
    """Show events as they come in, oldest first, until Ctrl-C. With --json a line for each.

    \b
    registrar events tail
    registrar events tail --model churn -n 0 --count 1 --json    # wait for the next one
    """
    with suppress(KeyboardInterrupt), context.reading() as reading:
        for number, row in enumerate(_follow_events(reading, wanted, last=last, every=every), start=1):
            click.echo(formatting.dump_json(row) if as_json else _line(row))
            if number == count:
                return


def _follow_events(reading: QueryService, wanted: EventFilter, *, last: int, every: float) -> Iterator[Row]:
    """Yield the last events, oldest first, then each new one once."""
    first = reading.events(wanted, limit=max(1, last)).rows
    seen = deque((row["id"] for row in reversed(first)), maxlen=MOST)
    yield from reversed(first[:last])
    while True:
        time.sleep(every)
        fresh = list(_newer_than(reading, wanted, set(seen)))
        seen.extend(row["id"] for row in reversed(fresh))
        yield from reversed(fresh)


def _newer_than(reading: QueryService, wanted: EventFilter, seen: set[str]) -> Iterator[Row]:
    """Yield the events that are newer than any in `seen`, newest first; all if `seen` is empty."""
    cursor = None
    while True:
        page = reading.events(wanted, limit=50, cursor=cursor)
        for row in page.rows:
            if row["id"] in seen:
                return
            yield row
        if (cursor := page.next) is None:
            return


def _line(row: Row) -> str:
    """Format an event as a row of a table whose other rows are not known yet."""
    cells = [formatting.text(row[name]) for name in ("accepted_at", "type", "model", "actor_name", "id")]
    alone = tables.table(_TAIL, [cells], _TAIL_WIDTHS)
    return "\n".join(tables.lines(alone, tables.terminal_width(), heading=False))


def print_event(event: dict[str, Any]) -> None:
    """Print one event."""
    refused = event["state"] == "succeeded" and event.get("refused")
    shown = {**event, "state": tables.state("refused" if refused else event["state"])}
    for name in ("id", "type", "state", "model", "source", "actor_name", "occurred_at", "accepted_at"):
        click.echo(f"{name:<12} {shown[name] if name == 'state' else formatting.text(shown[name])}")
    click.echo(f"{'data':<12} {formatting.dump_json(event['data'])}")
    if "archive" in event:
        click.echo(f"{'archive':<12} {event['archive']}")
    click.echo("\n".join([*formatting.replay_lines(event), *formatting.intervention_lines(event["tasks"]), ""]))
    gone = f"its tasks succeeded, and were archived: registrar compact show {event['id']}"
    empty = gone if event.get("archived") else "it has no tasks"
    formatting.table(_TASK, formatting.pick(event["tasks"], _TASK), empty=empty)
    for task in event["tasks"]:
        result = task["error"] or (task["outcome"] or {}).get("summary")
        if result:
            click.echo(f"{task['name']}: {formatting.sentence(result)}")


REJECTION_COLUMNS = ("at", "source", "status", "code", "size", "detail")


@click.command()
@click.option("--source", metavar="NAME", help="By this source alone.")
@formatting.limit
@formatting.as_json
@click.pass_obj
def rejections(context: Context, *, source: str | None, limit: int, as_json: bool) -> None:
    """List requests that were refused and why, newest first.

    \b
    registrar rejections --source ci
    """
    with context.reading() as reading:
        found = up_to(limit, lambda most, cursor: reading.rejections(source=source, limit=most, cursor=cursor))
    if as_json:
        formatting.print_json(found)
    else:
        formatting.table(REJECTION_COLUMNS, formatting.pick(found, REJECTION_COLUMNS), empty="nothing was refused")
