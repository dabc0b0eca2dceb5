"""Formats times, states and numbers for pages. A state is always a word; colour only supports it."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from registrar.text.tones import tone
from registrar.text.wording import plural

__all__ = ["against", "countdown", "cut", "number", "plural", "pretty", "span", "state", "took", "verb", "when"]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_LONG = 250  # characters of an error in a list


def state(name: str, words: str | None = None) -> Markup:
    """Return a badge. words: its text, if not the state's name."""
    return Markup('<span class="state {}">{}</span>').format(tone(name), words or name.replace("_", " "))


def when(at: datetime | None, now: datetime, *, absent: str = "–") -> Markup:
    """Return a relative time (5 min ago, in 2 h), with the exact one as its title."""
    if at is None:
        return Markup("{}").format(absent)
    exact, ahead = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", at > now
    relative = f"in {span(at - now)}" if ahead else f"{span(now - at)} ago"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(timespec="seconds"), exact, relative)


def span(length: timedelta) -> str:
    """Format a duration by its largest unit, as the command line does: 3 d, 5 h, 2 min, 10 s."""
    seconds = max(0, int(length.total_seconds()))
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def countdown(at: datetime, now: datetime) -> Markup:
    """Return how long it is until a time, by its two largest units (in 3 h 20 min), with the exact one as its title."""
    seconds = max(0, int((at - now).total_seconds()))
    parts: list[str] = []
    for size, unit in _UNITS:
        if seconds >= size and len(parts) < 2:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
        elif parts:
            break
    exact = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    words = f"in {' '.join(parts)}" if parts else "now"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(timespec="seconds"), exact, words)


def took(began: datetime | None, ended: datetime | None) -> str:
    """Format how long a task took: 0.21 s, 4.2 s, 3 min; "" while it is not known."""
    if began is None or ended is None:
        return ""
    length = ended - began
    return f"{max(0.0, length.total_seconds()):.2g} s" if length < timedelta(seconds=60) else span(length)


def number(value: object) -> str:
    """Format a metric's value."""
    try:
        parsed = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "–" if value is None else str(value)
    return f"{parsed:.6g}" if math.isfinite(parsed) else str(parsed)


def against(new: object, old: object) -> str:
    """Format a difference: -0.4 (-6.2 %)."""
    try:
        a, b = float(new), float(old)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "–"
    if not (math.isfinite(a) and math.isfinite(b)):
        return "–"
    share = f" ({(a - b) / abs(b) * 100:+.3g} %)" if b else ""
    return f"{a - b:+.4g}{share}"


def pretty(value: Mapping[str, Any]) -> str:
    """Format as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def cut(text: str | None) -> str:
    """Shorten a text for a list."""
    text = text or ""
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def verb(task_name: str) -> str:
    """Return a task's name without its package: worker.register -> register."""
    return task_name.removeprefix("worker.")
