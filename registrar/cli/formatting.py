"""Prints the results of commands: tables for people, JSON for programs, progress on a terminal."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import click

from registrar.cli import tables
from registrar.cli.lazy_group import load
from registrar.text.sanitize import escaped, shown

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under a heading, or the sentence `empty` on stderr. A None cell prints as -."""
    paged_table(columns, [rows], empty=empty)


def paged_table(columns: Sequence[str], pages: Iterable[Sequence[Sequence[object]]], *, empty: str) -> None:
    """Print pages of rows as they come, under one heading. A column never gets narrower."""
    widths: Sequence[int] = ()
    first = True
    for rows in pages:
        if rows:
            page = tables.table(columns, [[text(cell) for cell in row] for row in rows], widths)
            tables.echo(page, heading=first)
            first, widths = False, page.widths
    if first:
        click.echo(empty, err=True)


def print_note(text: str) -> None:
    """Print a line beside a table: on stderr, so that no program reads it as a row."""
    click.echo(text, err=True)


@contextmanager
def show_progress(
    text: str, *, otherwise: Callable[[str], None] = lambda progress: None
) -> Iterator[Callable[[str], None]]:
    """Show a status line on a terminal, and yield a function that changes it.

    otherwise: the function to yield where stderr is no terminal.
    """
    if not _is_terminal():
        yield otherwise
        return
    console, escape = load("rich.console:Console")(stderr=True, highlight=False), load("rich.markup:escape")
    with console.status(escape(text)) as status:
        yield lambda progress: status.update(escape(shown(progress)))


def _is_terminal() -> bool:
    return sys.stderr.isatty()


def print_json(value: object) -> None:
    """Print indented JSON, with times in ISO 8601."""
    click.echo(dump_json(value, indent=2))


def dump_json(value: object, *, indent: int | None = None) -> str:
    """Return JSON with control characters and changes of text direction escaped."""
    return escaped(json.dumps(value, indent=indent, ensure_ascii=False, default=jsonable))


def print_json_list(values: Iterable[object]) -> None:
    """Print a JSON array, each value as it comes."""
    started = False
    for value in values:
        item = dump_json(value, indent=2)
        click.echo((",\n" if started else "[\n") + indent(item, "  "), nl=False)
        started = True
    click.echo("\n]" if started else "[]")


def text(value: object) -> str:
    """Return the text of a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return shown(str(value))


def sentence(value: object, *, indent: str = "  ") -> str:
    """Return a person's text, to print behind a label. Further lines are indented, so that none looks like ours."""
    return shown(str(value), lines=True).replace("\n", f"\n{indent}")


def pick(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Return some columns of mappings as the rows of a table."""
    return [[row[column] for column in columns] for row in rows]


def jsonable(value: object) -> str:
    """Return a value that json.dumps can't write as a text: a time in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


_DONE = {"task.retry": "tried again", "task.drop": "dropped"}


def intervention_lines(tasks: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for task in tasks:
        for intervention in task["settled"]:
            was = intervention["was"]
            before = f"{task['name']} had ended as {was['state']}, attempt {was['attempts']}: {was['error']}"
            yield f"{_DONE[intervention['type']]:<12} {_describe_intervention(intervention)}; {before}"


def replay_lines(event: Mapping[str, Any]) -> Iterator[str]:
    if event["replay_of"]:
        yield f"{'replay of':<12} {event['replay_of']}"
    for replay in event["replays"]:
        yield f"{'replayed as':<12} {replay['became']}, {_describe_intervention(replay)}"


def _describe_intervention(intervention: Mapping[str, Any]) -> str:
    because = f": {intervention['reason']}" if intervention["reason"] else ""
    return f"{text(intervention['at'])} by {intervention['actor_name']} ({intervention['event_id']}){because}"
