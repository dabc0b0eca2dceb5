"""How commands print: colours, tables that fit a terminal, whole lines into a pipe, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from registrar.cli import tables
from registrar.text.sanitize import escaped, shown

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under a heading; where there are none, the sentence `empty` on stderr. None prints as -."""
    paged_table(columns, [rows], empty=empty)


def paged_table(columns: Sequence[str], pages: Iterable[Sequence[Sequence[object]]], *, empty: str) -> None:
    """The same, where rows come page by page: each is printed as it comes, the columns at least as wide as before."""
    widths: Sequence[int] = ()
    first = True
    for rows in pages:
        if rows:
            page = tables.table(columns, [[text(cell) for cell in row] for row in rows], widths)
            tables.echo(page, heading=first)
            first, widths = False, page.widths
    if first:
        click.echo(empty, err=True)


@contextmanager
def show_progress(
    text: str, *, otherwise: Callable[[str], None] = lambda said: None
) -> Iterator[Callable[[str], None]]:
    """Says on a terminal, beside what is printed, that something goes on; call what it gives to say how far it is.

    otherwise: what is called where there is no terminal.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield otherwise
        return
    with console.status(escape(text)) as status:
        yield lambda said: status.update(escape(said))


def print_json(value: object) -> None:
    """Indented JSON; times in ISO 8601."""
    click.echo(dump_json(value, indent=2))


def dump_json(value: object, *, indent: int | None = None) -> str:
    """JSON in which nothing moves what stands beside it."""
    return escaped(json.dumps(value, indent=indent, ensure_ascii=False, default=jsonable))


def print_json_list(values: Iterable[object]) -> None:
    """A JSON array, each value printed as it comes."""
    begun = False
    for value in values:
        item = dump_json(value, indent=2)
        click.echo((",\n" if begun else "[\n") + indent(item, "  "), nl=False)
        begun = True
    click.echo("\n]" if begun else "[]")


def text(value: object) -> str:
    """A table's cell."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return shown(str(value))


def sentence(value: object, *, indent: str = "  ") -> str:
    """What somebody wrote, behind a label: its further lines are set in, so that none passes for one of ours."""
    return shown(str(value), lines=True).replace("\n", f"\n{indent}")


def pick(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Some columns of mappings, as a table's rows."""
    return [[row[column] for column in columns] for row in rows]


def jsonable(value: object) -> str:
    """For json.dumps: times in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


_DONE = {"task.retry": "tried again", "task.drop": "dropped"}


def intervention_lines(tasks: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for task in tasks:
        for deed in task["settled"]:
            was = deed["was"]
            before = f"{task['name']} had ended as {was['state']}, attempt {was['attempts']}: {was['error']}"
            yield f"{_DONE[deed['type']]:<12} {_describe_intervention(deed)}; {before}"


def replay_lines(event: Mapping[str, Any]) -> Iterator[str]:
    if event["replay_of"]:
        yield f"{'replay of':<12} {event['replay_of']}"
    for deed in event["replays"]:
        yield f"{'replayed as':<12} {deed['became']}, {_describe_intervention(deed)}"


def _describe_intervention(deed: Mapping[str, Any]) -> str:
    because = f": {deed['reason']}" if deed["reason"] else ""
    return f"{text(deed['at'])} by {deed['actor_name']} ({deed['event_id']}){because}"
