"""Draws who held which stage or alias when, as SVG: a row per stage and alias, a bar per version."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from markupsafe import Markup

from registrar.ledger.queries.holdings import Holding
from webhooks.dashboard.formatting import span

_LEFT, _WIDTH, _ROW, _BAR = 120, 900, 34, 22  # in the picture's own units
_TICKS = 5
_FITS = 26  # so wide is a bar that its version's number can stand in it


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

    recreated_at: when the model was created again under the name of a deleted one, whose versions' numbers are shown in
    brackets; None: it was not.
    """
    if not held:
        return Markup("")
    scale = _Scale(min(one.since for one in held), now, recreated_at)
    rows = _rows(held)
    height = len(rows) * _ROW + 22
    drawn = [_row(nth, names, of_it, scale) for nth, (names, of_it) in enumerate(rows)]
    return Markup('<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        _WIDTH, height, _spoken(rows), _axis(scale, height), Markup("").join(drawn)
    )


def is_of_deleted(one: Holding, recreated_at: datetime | None) -> bool:
    """Return whether a holding is of a deleted model. recreated_at: when the present one was created."""
    return recreated_at is not None and (one.version_created_at or one.since) < recreated_at


def _rows(held: Sequence[Holding]) -> list[tuple[Sequence[str], Sequence[Holding]]]:
    """Return rows with their names: a stage and an alias that always moved together share one."""
    keys = sorted({(one.kind != "stage", _order(one.key), one.key, one.kind) for one in held})
    each = [(place(kind, key), [one for one in held if (one.kind, one.key) == (kind, key)]) for *_, key, kind in keys]
    return [([name for name, _ in group], group[0][1]) for group in alike(each, lambda a, b: _same(a[1], b[1]))]


def _same(held: Sequence[Holding], others: Sequence[Holding]) -> bool:
    return len(held) == len(others) and all(map(same, held, others))


def _order(key: str) -> int:
    return ("Production", "Staging", "Archived").index(key) if key in ("Production", "Staging", "Archived") else 0


def _row(nth: int, names: Sequence[str], held: Iterable[Holding], scale: _Scale) -> Markup:
    y = nth * _ROW + 4
    first = y + 15 - 6 * (len(names) - 1)
    lines = [Markup('<text x="0" y="{}">{}</text>').format(first + 13 * line, name) for line, name in enumerate(names)]
    return Markup("").join([*lines, *(_bar(one, y, " ".join(names), scale) for one in held)])


def _bar(one: Holding, y: int, name: str, scale: _Scale) -> Markup:
    begin, end = scale.x(one.since), scale.x(one.until or scale.end)
    width = max(3.0, end - begin - 1)
    said = f"version {one.version} held {name} from {one.since:%Y-%m-%d %H:%M} UTC "
    said += f"for {span(one.until - one.since)}" if one.until else "until now"
    deleted = is_of_deleted(one, scale.recreated_at)
    said += ", of the model that was deleted" if deleted else ""
    bar = Markup('<rect class="bar{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"><title>{}</title></rect>')
    drawn = bar.format("" if one.until is None else " then", begin, y, width, _BAR, said)
    if width < _FITS:
        return drawn
    return drawn + Markup('<text class="on" x="{:.1f}" y="{}">{}</text>').format(
        begin + 6, y + 15, f"({one.version})" if deleted else one.version
    )


def _axis(scale: _Scale, height: int) -> Markup:
    length = scale.end - scale.begin
    shown = "%Y-%m-%d" if length > timedelta(days=4) else "%d %b %H:%M" if length > timedelta(hours=1) else "%H:%M:%S"
    marks = []
    for nth in range(_TICKS):
        at = scale.begin + length * nth / (_TICKS - 1)
        x, anchor = scale.x(at), "end" if nth == _TICKS - 1 else "start" if nth == 0 else "middle"
        line = Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(x, height - 18)
        told = at.astimezone(UTC).strftime(shown)
        tick = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
        marks.append(line + tick.format(x, height - 4, anchor, told))
    return Markup("").join(marks)


def _spoken(rows: Iterable[tuple[Sequence[str], Sequence[Holding]]]) -> str:
    said = []
    for names, held in rows:
        now = [f"version {one.version}" for one in held if one.until is None]
        said.append(f"{' '.join(names)}: {len(held)} so far, now {' and '.join(now) or 'none'}")
    return f"Who held what when. {'; '.join(said)}. The table below says the same."


One = TypeVar("One")
A_MOMENT = timedelta(minutes=1)


def place(kind: str, key: str) -> str:
    """Return a stage as it is, and an alias with @: Production, @champion."""
    return f"@{key}" if kind == "alias" else key


def alike(found: Iterable[One], same: Callable[[One, One], bool]) -> Sequence[Sequence[One]]:
    """Group equal rows, each group at the place of its first row."""
    groups: list[list[One]] = []
    for one in found:
        group = next((group for group in groups if same(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def together(one: datetime | None, other: datetime | None) -> bool:
    """Return whether two ends belong together: an alias moves with the promotion, a stage when its former holder is
    archived a moment later.
    """
    return one == other if one is None or other is None else abs(one - other) < A_MOMENT


def same(one: Holding, other: Holding) -> bool:
    return (one.version, one.since) == (other.version, other.since) and together(one.until, other.until)
