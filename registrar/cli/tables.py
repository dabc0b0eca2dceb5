"""Prints tables that fit the terminal: shortens times, then text, but never ids. Cuts nothing in a pipe.

Where a row has no room for its ids, they are printed on a second line, followed by the columns that don't fit.
"""

import re
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import Any

import click

from registrar.cli.lazy_group import load
from registrar.config.settings import process_environment
from registrar.text.tones import Tone, tone

_STYLES: dict[Tone, dict[str, Any]] = {
    "ok": {"fg": "green"},
    "wait": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "off": {"dim": True},
}


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return len(text) if text.isascii() and text.isprintable() else int(load("rich.cells:cell_len")(text))


def state(name: str, *, padded: int = 0) -> str:
    """Return a state in its colour, padded with uncoloured spaces to a number of characters."""
    return styled(name, tone(name)) + " " * (padded - len(name))


def styled(text: str, of: Tone) -> str:
    """Return a text in a colour, or unchanged where stdout should have none."""
    return click.style(text, **_STYLES[of]) if text and _uses_colour() else text


def _uses_colour() -> bool:
    environ = process_environment()
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


_ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d UTC")
_BETWEEN, _BENEATH = "  ", "    "
# Columns of states: the last to be shortened.
_STATES = frozenset({"state", "verdict", "passed"})
# Columns that few rows fill: left out where the terminal is too narrow and no row fills them.
_REMARKS = frozenset({"why it ended", "why", "lacks", "held back"})
# Cells to which a column may be shortened, in steps: text that is still readable; then text and names; then any column.
_READABLE, _LEAST, _LEAST_OF_ALL = 20, 8, 3


@dataclass(frozen=True)
class Table:
    """columns: the headings. widths: cells of each column, at least those of the page before, so that pages align."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]

    @property
    def needs(self) -> int:
        """Return the terminal cells of a line."""
        return sum(self.widths) + len(_BETWEEN) * max(0, len(self.widths) - 1)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], least: Sequence[int] = ()) -> Table:
    """Make each column as wide as its widest cell or its heading, and at least as wide as `least`."""
    widths = [
        max(*least[at : at + 1], _width(heading), *(_width(row[at]) for row in rows))
        for at, heading in enumerate(columns)
    ]
    return Table(columns, rows, widths)


def terminal_width() -> int | None:
    """Return the terminal's width in cells; None where stdout is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def lines(whole: Table, width: int | None, *, heading: bool) -> Iterator[str]:
    """Yield the lines of a table. width: the terminal's, in cells; None for no limit."""
    if width is None or whole.needs <= width:
        yield from _lines(whole, [""] * len(whole.rows), heading=heading)
        return
    short = _without(_empty(whole), _shorter_times(whole))
    beneath = [""] * len(whole.rows)
    if short.needs > width:
        short, beneath = _apart(short, width)
    yield from _lines(_squeezed(short, width), beneath, heading=heading)


def cut(text: str, width: int) -> str:
    """Cut a text to a number of cells, with … at the cut; an id is left out whole."""
    if _width(text) <= width:
        return text
    left = accumulate((_width(character) for character in text[:width]), sub, initial=width - 1)
    end = next(at for at, room in enumerate((*left, -1)) if room < 0) - 1
    begun = next((found.start() for found in _ID.finditer(text) if found.start() < end < found.end()), end)
    return text[:begun].rstrip() + "…"


def _lines(shown: Table, beneath: Sequence[str], *, heading: bool) -> Iterator[str]:
    if heading:
        yield _line(shown, shown.columns)
    for row, more in zip(shown.rows, beneath, strict=True):
        yield _line(shown, row, states=_STATES)
        yield from more.splitlines()


def _line(shown: Table, cells: Sequence[str], *, states: Collection[str] = ()) -> str:
    """states: the columns that have a colour."""
    padded = []
    for name, text, width in zip(shown.columns, cells, shown.widths, strict=True):
        fits = cut(text, width)
        painted = styled(fits, tone(text)) if name in states else fits
        padded.append(painted + " " * (width - _width(fits)))
    return _BETWEEN.join(padded).rstrip()


def _empty(whole: Table) -> list[int]:
    """Return the indexes of remark columns that no row fills."""
    remarks = [at for at, name in enumerate(whole.columns) if name in _REMARKS]
    return [at for at in remarks if all(row[at] in ("", "-") for row in whole.rows)]


def _without(left_out: Collection[int], whole: Table) -> Table:
    kept = [at for at in range(len(whole.columns)) if at not in left_out]
    return table([whole.columns[at] for at in kept], [[row[at] for at in kept] for row in whole.rows])


def _shorter_times(whole: Table) -> Table:
    """Shorten times to the minute, and move UTC into the heading."""
    headings, rows = list(whole.columns), [list(row) for row in whole.rows]
    for at, name in enumerate(whole.columns):
        times = [_TIME.fullmatch(row[at]) for row in whole.rows]
        for row, time in zip(rows, times, strict=True):
            row[at] = time[1] if time else row[at]
        headings[at] = f"{name} UTC" if any(times) else name
    return table(headings, rows)


def _apart(whole: Table, width: int) -> tuple[Table, list[str]]:
    """Return the columns that fit, and a second line for each row. A table without ids keeps all its columns."""
    every = range(len(whole.columns))
    ids = [at for at in every if any(_ID.fullmatch(row[at]) for row in whole.rows)]
    kept = [at for at in every if at not in ids]
    least = {at: _minimum_width(whole, at) + len(_BETWEEN) for at in kept}
    while ids and len(kept) > 1 and sum(least[at] for at in kept) - len(_BETWEEN) > width:
        kept.pop()
    others = [at for at in every if at not in (*ids, *kept)]
    beneath = [_second_line(_join_cells(row, ids), _join_cells(row, others), width) for row in whole.rows]
    return table([whole.columns[at] for at in kept], [[row[at] for at in kept] for row in whole.rows]), beneath


def _join_cells(row: Sequence[str], columns: Sequence[int]) -> str:
    return _BETWEEN.join(row[at] for at in columns if row[at] != "-")


def _minimum_width(whole: Table, at: int) -> int:
    """Return the cells that a column needs to be readable, apart from its heading."""
    widest = max(_width(row[at]) for row in whole.rows)
    return min(widest, _READABLE) if any(" " in row[at] and not _TIME.match(row[at]) for row in whole.rows) else widest


def _second_line(ids: str, more: str, width: int) -> str:
    """Return a row's second line: its ids, then the other cells that don't fit, on a third line if need be."""
    shown, left = _BENEATH + styled(ids, "off"), width - len(_BENEATH) - _width(ids) - len(_BETWEEN)
    if ids and more and left >= _READABLE:
        return f"{shown}{_BETWEEN}{cut(more, left)}"
    alone = _BENEATH + cut(more, width - len(_BENEATH))
    return "\n".join(line for line, there in ((shown, ids), (alone, more)) if there)


def _squeezed(whole: Table, width: int) -> Table:
    """Shorten columns, the widest first, in steps: text, then headings, then text and names, then every column."""
    every = range(len(whole.columns))
    named = [at for at in every if whole.columns[at] not in _STATES and not whole.columns[at].endswith(" UTC")]
    text = [at for at in named if any(" " in row[at] for row in whole.rows)]
    cells = {at: max([_LEAST_OF_ALL, *(_width(row[at]) for row in whole.rows)]) for at in every}
    steps = [_floors(whole, columns, least) for columns, least in ((text, _LEAST), (named, _LEAST))]
    last = [_floors(whole, columns, _LEAST_OF_ALL) for columns in (named, every)]
    widths = list(whole.widths)
    for floors in (_floors(whole, text, _READABLE), cells, *steps, *last):
        _shrink(widths, floors, over=Table(whole.columns, (), widths).needs - width)
    return Table(whole.columns, whole.rows, widths)


def _floors(whole: Table, columns: Iterable[int], least: int) -> dict[int, int]:
    """Return the least width of each column. Numbers are never cut: a cut number would be another one."""
    return {at: max(least, _digits(whole, at)) for at in columns}


def _digits(whole: Table, at: int) -> int:
    """Return the length of the longest number in a column."""
    return max((len(row[at]) for row in whole.rows if row[at].isdecimal()), default=0)


def _shrink(widths: list[int], floors: Mapping[int, int], *, over: int) -> None:
    """Take `over` cells from the columns in `floors`, the widest first, none below its floor."""
    for _ in range(over):
        left = [at for at, floor in floors.items() if widths[at] > floor]
        if not left:
            return
        widths[max(left, key=widths.__getitem__)] -= 1


def echo(whole: Table, *, heading: bool) -> None:
    """Print it as wide as stdout is."""
    click.echo("\n".join(lines(whole, terminal_width(), heading=heading)))
