"""How commands print: tables on a terminal, whole lines into a pipe, JSON for programs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is ever cut or folded for whoever reads the pipe.
_PIPE_COLUMNS = 10_000

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under a heading; where there are none, the sentence `empty` on stderr. None prints as -."""
    if not rows:
        click.echo(empty, err=True)
        return
    console = _console()
    drawn = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(text(cell)) for cell in row))
    with console.capture() as captured:
        console.print(drawn)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Says on a terminal, beside what is printed, that something goes on; call what it gives to say how far it is."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda said: None
        return
    with console.status(escape(text)) as status:
        yield lambda said: status.update(escape(said))


def json_text(value: object) -> None:
    """Indented JSON; times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=jsonable))


def text(value: object) -> str:
    """A table's cell."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value)


def pick(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Some columns of mappings, as a table's rows."""
    return [[row[column] for column in columns] for row in rows]


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_COLUMNS)


def jsonable(value: object) -> str:
    """For json.dumps: times in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
