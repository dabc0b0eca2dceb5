"""Draws which version held which stage or alias when, as SVG: a row per stage and alias, a bar per version."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from markupsafe import Markup

from registrar.ledger.queries.holdings import Holding
from webhooks.dashboard.formatting import span

_LEFT, _WIDTH, _ROW, _BAR = 120, 900, 34, 22  # in the picture's units
_TICKS = 5
_FITS = 26  # the least width of a bar with its version's number


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    end: datetime
    recreated_at: datetime | None

    def x(self, at: datetime) -> float:
        share = (at - self.begin) / max(self.end - self.begin, timedelta(seconds=1))
        return _LEFT + (_WIDTH - _LEFT) * min(1.0, max(0.0, share))


def timeline(held: Sequence[Holding], now: datetime, *, recreated_at: datetime | None = None) -> Markup:
    """Draw an SVG; empty without holdings. held: oldest first.

    recreated_at: when the model was created again under the name of a deleted one, whose version numbers are drawn in
    brackets; None: it was not.
    """
    if not held:
        return Markup("")
    scale = _Scale(min(holding.since for holding in held), now, recreated_at)
    rows = _rows(held)
    height = len(rows) * _ROW + 22
    drawn = [_row(nth, names, holdings, scale) for nth, (names, holdings) in enumerate(rows)]
    return Markup('<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        _WIDTH, height, _label(rows), _axis(scale, height), Markup("").join(drawn)
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


def _row(nth: int, names: Sequence[str], held: Iterable[Holding], scale: _Scale) -> Markup:
    y = nth * _ROW + 4
    first = y + 15 - 6 * (len(names) - 1)
    lines = [Markup('<text x="0" y="{}">{}</text>').format(first + 13 * line, name) for line, name in enumerate(names)]
    return Markup("").join([*lines, *(_bar(holding, y, " ".join(names), scale) for holding in held)])


def _bar(holding: Holding, y: int, name: str, scale: _Scale) -> Markup:
    begin, end = scale.x(holding.since), scale.x(holding.until or scale.end)
    width = max(3.0, end - begin - 1)
    title = f"version {holding.version} held {name} from {holding.since:%Y-%m-%d %H:%M} UTC "
    title += f"for {span(holding.until - holding.since)}" if holding.until else "until now"
    deleted = is_of_deleted(holding, scale.recreated_at)
    title += ", of the model that was deleted" if deleted else ""
    bar = Markup('<rect class="bar{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"><title>{}</title></rect>')
    drawn = bar.format("" if holding.until is None else " then", begin, y, width, _BAR, title)
    if width < _FITS:
        return drawn
    return drawn + Markup('<text class="on" x="{:.1f}" y="{}">{}</text>').format(
        begin + 6, y + 15, f"({holding.version})" if deleted else holding.version
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
