"""Tables that fit the terminal: times, then text, are shortened, an id never. Into a pipe nothing is cut.

Where a row has no room for its ids, they stand whole on a line of their own under it.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click
from rich.cells import cell_len

from registrar.cli import colour

_ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d UTC")
_BETWEEN, _BENEATH = "  ", "    "
# Columns that say how something stands: the last to be shortened.
_STATES = frozenset({"state", "verdict", "passed"})
# To what a column may be shortened, and which: first text, then names, in the end whatever there is.
_LEAST, _LEAST_OF_ALL = 8, 3


@dataclass(frozen=True)
class Table:
    """columns: the headings. widths: each column's least, so that pages of one table stand under each other."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]

    @property
    def needs(self) -> int:
        """Terminal cells of a line."""
        return sum(self.widths) + len(_BETWEEN) * max(0, len(self.widths) - 1)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], least: Sequence[int] = ()) -> Table:
    """Each column as wide as its widest cell or its heading, and at least as `least` says."""
    widths = [
        max(*least[at : at + 1], cell_len(heading), *(cell_len(row[at]) for row in rows))
        for at, heading in enumerate(columns)
    ]
    return Table(columns, rows, widths)


def terminal_width() -> int | None:
    """Its columns; None where stdout is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def lines(whole: Table, width: int | None, *, heading: bool) -> Iterator[str]:
    """width: None: whatever it takes."""
    if width is None or whole.needs <= width:
        yield from _lines(whole, [()] * len(whole.rows), heading=heading)
        return
    short = _shorter_times(whole)
    beneath: list[tuple[str, ...]] = [()] * len(whole.rows)
    if short.needs > width:
        short, beneath = _without_ids(short)
    yield from _lines(_squeezed(short, width), beneath, heading=heading)


def cut(text: str, width: int) -> str:
    """At most so many cells, with … for what is left out; an id is left out whole."""
    if cell_len(text) <= width:
        return text
    end = len(text)
    while end and cell_len(text[:end]) > width - 1:
        end -= 1
    begun = next((found.start() for found in _ID.finditer(text) if found.start() < end < found.end()), end)
    return text[:begun].rstrip() + "…"


def _lines(shown: Table, beneath: Sequence[Sequence[str]], *, heading: bool) -> Iterator[str]:
    if heading:
        yield _line(shown, shown.columns, lambda _, text: text)
    for row, ids in zip(shown.rows, beneath, strict=True):
        yield _line(shown, row, lambda name, text: colour.state(text) if name in _STATES else text)
        for id_ in ids:
            yield _BENEATH + colour.styled(id_, "off")


def _line(shown: Table, cells: Sequence[str], painted: Callable[[str, str], str]) -> str:
    padded = []
    for name, text, width in zip(shown.columns, cells, shown.widths, strict=True):
        fits = cut(text, width)
        padded.append(painted(name, fits) + " " * (width - cell_len(fits)))
    return _BETWEEN.join(padded).rstrip()


def _shorter_times(whole: Table) -> Table:
    """To the minute, with UTC in the heading."""
    headings, rows = list(whole.columns), [list(row) for row in whole.rows]
    for at, name in enumerate(whole.columns):
        found = [_TIME.fullmatch(row[at]) for row in whole.rows]
        for row, time in zip(rows, found, strict=True):
            row[at] = time[1] if time else row[at]
        headings[at] = f"{name} UTC" if any(found) else name
    return table(headings, rows)


def _without_ids(whole: Table) -> tuple[Table, list[tuple[str, ...]]]:
    """The other columns, and of each row the ids."""
    ids = [at for at in range(len(whole.columns)) if any(_ID.fullmatch(row[at]) for row in whole.rows)]
    kept = [at for at in range(len(whole.columns)) if at not in ids]
    beneath = [tuple(row[at] for at in ids if _ID.fullmatch(row[at])) for row in whole.rows]
    return table([whole.columns[at] for at in kept], [[row[at] for at in kept] for row in whole.rows]), beneath


def _squeezed(whole: Table, width: int) -> Table:
    """The widest columns give way first, those of text before those of names; in the end also times and states."""
    every = range(len(whole.columns))
    named = [at for at in every if whole.columns[at] not in _STATES and not whole.columns[at].endswith(" UTC")]
    text = [at for at in named if any(" " in row[at] for row in whole.rows)]
    widths = list(whole.widths)
    for columns, least in ((text, _LEAST), (named, _LEAST), (named, _LEAST_OF_ALL), (every, _LEAST_OF_ALL)):
        floors = {at: max(least, _digits(whole, at)) for at in columns}
        _give_way(widths, floors, over=Table(whole.columns, (), widths).needs - width)
    return Table(whole.columns, whole.rows, widths)


def _digits(whole: Table, at: int) -> int:
    """Of the longest number in a column: it is shown whole, or it would be another."""
    return max((len(row[at]) for row in whole.rows if row[at].isdecimal()), default=0)


def _give_way(widths: list[int], floors: Mapping[int, int], *, over: int) -> None:
    """floors: of the columns that give way, how far each does."""
    for _ in range(over):
        left = [at for at, floor in floors.items() if widths[at] > floor]
        if not left:
            return
        widths[max(left, key=widths.__getitem__)] -= 1


def echo(whole: Table, *, heading: bool) -> None:
    """Print it as wide as stdout is."""
    click.echo("\n".join(lines(whole, terminal_width(), heading=heading)))
