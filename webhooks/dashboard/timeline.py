"""Draws which version held which stage or alias when, as SVG: a row per stage and alias, a bar per version.

Holdings of a row that overlap are in lanes beneath each other. The present is at the right, and so are the rows' names:
a phone shows that end first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from markupsafe import Markup

from registrar.ledger.queries.holdings import Holding
from registrar.text.wording import cut
from webhooks.dashboard.formatting import span

# In the picture's units.
_WIDTH, _NAMES, _LANE, _BAR, _BETWEEN = 900, 140, 26, 22, 10
_PLOT = _WIDTH - _NAMES
_LETTER, _PADDING = 7.5, 12  # of a number's width
_NAME_LINE, _NAME_LETTERS = 14, 18
_TICKS = 5
_LANES = 6  # of a row; further holdings are in the table alone


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    end: datetime
    recreated_at: datetime | None

    def x(self, at: datetime) -> float:
        share = (at - self.begin) / max(self.end - self.begin, timedelta(seconds=1))
        return _PLOT * min(1.0, max(0.0, share))


@dataclass(frozen=True)
class _Bar:
    """A holding's place. label_at: where its number begins, in the bar (inside) or beside it."""

    holding: Holding
    label: str
    begin: float
    width: float
    label_at: float
    inside: bool

    @property
    def left(self) -> float:
        return min(self.begin, self.label_at)

    @property
    def right(self) -> float:
        return max(self.begin + self.width, self.label_at + _label_width(self.label))


@dataclass(frozen=True)
class _Row:
    """lanes: each with bars that don't overlap, the newest first. hidden: how many holdings have no room."""

    names: Sequence[str]
    lanes: Sequence[Sequence[_Bar]]
    hidden: int

    @property
    def height(self) -> int:
        lines = len(self.names) + bool(self.hidden)
        return max(len(self.lanes) * _LANE, lines * _NAME_LINE) + _BETWEEN


def timeline(held: Sequence[Holding], now: datetime, *, recreated_at: datetime | None = None) -> Markup:
    """Draw an SVG; empty without holdings. held: oldest first.

    recreated_at: when the model was created again under the name of a deleted one, whose version numbers are drawn in
    brackets; None: it was not.
    """
    if not held:
        return Markup("")
    scale = _Scale(min(holding.since for holding in held), now, recreated_at)
    grouped = _rows(held)
    rows = [_place_bars(names, holdings, scale) for names, holdings in grouped]
    height = sum(row.height for row in rows) + 22
    drawn, y = [], 4
    for nth, row in enumerate(rows):
        drawn.append(_draw_row(row, y, scale, first=nth == 0))
        y += row.height
    return Markup('<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        _WIDTH, height, _label(grouped), _axis(scale, height), Markup("").join(drawn)
    )


def is_of_deleted(holding: Holding, recreated_at: datetime | None) -> bool:
    """Return whether a holding is of a deleted model. recreated_at: when the present one was created."""
    return recreated_at is not None and (holding.version_created_at or holding.since) < recreated_at


def _rows(held: Sequence[Holding]) -> list[tuple[Sequence[str], Sequence[Holding]]]:
    """Return rows with their names: a stage and an alias that always moved together share a row."""
    keys = sorted({(holding.kind != "stage", _order(holding.key), holding.key, holding.kind) for holding in held})
    rows = [
        (target_name(kind, key), [holding for holding in held if (holding.kind, holding.key) == (kind, key)])
        for *_, key, kind in keys
    ]
    groups = group_alike(rows, lambda a, b: _all_same(a[1], b[1]))
    return [([name for name, _ in group], group[0][1]) for group in groups]


def _all_same(held: Sequence[Holding], others: Sequence[Holding]) -> bool:
    return len(held) == len(others) and all(map(is_same, held, others))


def _order(key: str) -> int:
    return ("Production", "Staging", "Archived").index(key) if key in ("Production", "Staging", "Archived") else 0


def _place_bars(names: Sequence[str], held: Sequence[Holding], scale: _Scale) -> _Row:
    """Put the holdings into lanes, the newest first: where all lanes are full, the oldest are left out."""
    lanes: list[list[_Bar]] = []
    hidden = 0
    for holding in sorted(held, key=lambda one: one.since, reverse=True):
        bar = _bar(holding, scale)
        lane = next((lane for lane in lanes if bar.right <= lane[-1].left), None)
        if lane is not None:
            lane.append(bar)
        elif len(lanes) < _LANES:
            lanes.append([bar])
        else:
            hidden += 1
    return _Row(names, lanes, hidden)


def _bar(holding: Holding, scale: _Scale) -> _Bar:
    """Place a bar, and its number beside it where it is too short."""
    begin, end = scale.x(holding.since), scale.x(holding.until or scale.end)
    label = f"({holding.version})" if is_of_deleted(holding, scale.recreated_at) else str(holding.version)
    width, needed = max(3.0, end - begin - 1), _label_width(label)
    begin = min(begin, _PLOT - width)
    if width >= needed:
        label_at = begin + 6 if holding.until else begin + width - needed + 6  # of what goes on: at the end that is now
        return _Bar(holding, label, begin, width, label_at, inside=True)
    after = begin + width + 3
    return _Bar(holding, label, begin, width, after if after + needed <= _PLOT else begin - needed, inside=False)


def _label_width(label: str) -> float:
    return len(label) * _LETTER + _PADDING


def _draw_row(row: _Row, y: float, scale: _Scale, *, first: bool) -> Markup:
    """first: without a line above it."""
    rule = Markup('<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>').format(_WIDTH, y - 5, y - 5)
    more = [f"and {row.hidden} earlier"] if row.hidden else []
    form = Markup('<text{} x="{}" y="{}">{}</text>')
    names = [
        form.format(
            Markup(' class="tick"') if line >= len(row.names) else "",
            _PLOT + 8,
            y + 15 + _NAME_LINE * line,
            cut(name, _NAME_LETTERS),
        )
        for line, name in enumerate([*row.names, *more])
    ]
    name = " ".join(row.names)
    bars = [_draw_bar(bar, y + nth * _LANE, name, scale) for nth, lane in enumerate(row.lanes) for bar in lane]
    return Markup("").join(["" if first else rule, *names, *bars])


def _draw_bar(bar: _Bar, y: float, name: str, scale: _Scale) -> Markup:
    holding = bar.holding
    title = f"version {holding.version} held {name} from {holding.since:%Y-%m-%d %H:%M} UTC "
    title += f"for {span(holding.until - holding.since)}" if holding.until else "until now"
    title += ", of the model that was deleted" if is_of_deleted(holding, scale.recreated_at) else ""
    rect = Markup('<rect class="bar{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"><title>{}</title></rect>')
    text = Markup('<text class="{}" x="{:.1f}" y="{}">{}</text>')
    return rect.format("" if holding.until is None else " then", bar.begin, y, bar.width, _BAR, title) + text.format(
        "on" if bar.inside else "beside", bar.label_at, y + 15, bar.label
    )


def _axis(scale: _Scale, height: int) -> Markup:
    length = scale.end - scale.begin
    form = "%Y-%m-%d" if length > timedelta(days=4) else "%d %b %H:%M" if length > timedelta(hours=1) else "%H:%M:%S"
    marks = []
    for nth in range(_TICKS):
        at = scale.begin + length * nth / (_TICKS - 1)
        x, anchor = scale.x(at), "end" if nth == _TICKS - 1 else "start" if nth == 0 else "middle"
        line = Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(x, height - 18)
        label = at.astimezone(UTC).strftime(form)
        tick = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
        marks.append(line + tick.format(x, height - 4, anchor, label))
    return Markup("").join(marks)


def _label(rows: Iterable[tuple[Sequence[str], Sequence[Holding]]]) -> str:
    sentences = []
    for names, held in rows:
        now = [f"version {holding.version}" for holding in held if holding.until is None]
        sentences.append(f"{' '.join(names)}: {len(held)} so far, now {' and '.join(now) or 'none'}")
    return f"Which version held what when. {'; '.join(sentences)}. The table below has the same."


Row = TypeVar("Row")
A_MOMENT = timedelta(minutes=1)


def target_name(kind: str, key: str) -> str:
    """Return the name of a stage or an alias: Production, @champion."""
    return f"@{key}" if kind == "alias" else key


def group_alike(rows: Iterable[Row], is_alike: Callable[[Row, Row], bool]) -> Sequence[Sequence[Row]]:
    """Group rows that are alike; the groups are in the order of their first rows."""
    groups: list[list[Row]] = []
    for row in rows:
        group = next((group for group in groups if is_alike(group[0], row)), None)
        if group is None:
            groups.append([row])
        else:
            group.append(row)
    return groups


def is_same(a: Holding, b: Holding) -> bool:
    """Return whether two holdings are of the same version and time, so that a row can show both."""
    return (a.version, a.since) == (b.version, b.since) and _ended_together(a.until, b.until)


def _ended_together(a: datetime | None, b: datetime | None) -> bool:
    """Return whether two ends are of one move: the alias moves with the promotion, and the stage a moment later, when
    its former holder is archived.
    """
    return a == b if a is None or b is None else abs(a - b) < A_MOMENT
