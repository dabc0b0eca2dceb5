"""One metric over the newest versions of a model, as a picture of the size of a word; its label has the numbers."""

import math
import sys
from collections.abc import Sequence

from markupsafe import Markup

from registrar.queries.model_metric import MetricTrend, Reading
from webhooks.dashboard.formatting import number

_WIDTH, _HEIGHT, _EDGE = 112, 28, 5  # in the picture's units


def sparkline(trend: MetricTrend) -> Markup:
    """Draw an SVG; empty without readings. The champion has a ring, a version that was held back a cross."""
    if not trend.readings:
        return Markup("")
    points = _points([reading.value for reading in trend.readings])
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = Markup('<polyline class="spark-line" points="{}"/>').format(path) if len(points) > 1 else Markup("")
    marks = [_mark(trend, reading, *point) for reading, point in zip(trend.readings, points, strict=True)]
    label = describe(trend)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><title>{}</title>'
        "{}{}</svg>"
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, label, label, line, Markup("").join(marks))


def describe(trend: MetricTrend) -> str:
    """Say the same in words: the metric, which way is better, and each version's value."""
    better = "higher" if trend.greater_is_better else "lower"
    values = ", ".join(_value(trend, reading) for reading in trend.readings)
    return f"{trend.name} by version, {better} is better: {values}"


def _value(trend: MetricTrend, reading: Reading) -> str:
    is_champion = trend.champion and trend.champion.version == reading.version
    more = " (the champion)" if is_champion else " (held back)" if reading.held_back else ""
    return f"version {reading.version} {number(reading.value)}{more}"


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    """Spread values over the picture, the highest on top; equal ones in the middle."""
    low, high = min(values), max(values)
    across, down = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    step = across / (len(values) - 1) if len(values) > 1 else 0.0
    range_ = high - low
    shares = [_share(value, low, range_) for value in values]
    return [
        (_EDGE + nth * step if step else _WIDTH / 2, _EDGE + down * (1 - share)) for nth, share in enumerate(shares)
    ]


def _share(value: float, low: float, range_: float) -> float:
    """Return how high a value is, of 1; the range of the largest numbers is infinite."""
    if math.isinf(range_):
        return value / sys.float_info.max / 2 + 0.5
    return (value - low) / range_ if range_ else 0.5


def _mark(trend: MetricTrend, reading: Reading, x: float, y: float) -> Markup:
    if trend.champion and trend.champion.version == reading.version:
        return Markup('<circle class="spark-champion" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(x, y)
    if reading.held_back:
        cross = Markup('<path class="spark-held" d="M{:.1f} {:.1f}l6 6m0 -6l-6 6"/>')
        return cross.format(x - 3, y - 3)
    return Markup('<circle class="spark-dot" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(x, y)
