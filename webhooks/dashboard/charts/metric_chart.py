"""One metric over the versions of a model, as SVG: its values, the thresholds of gates, and the champions.

The newest version is at the right, and so are the axis' numbers: a phone shows that end first.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Literal

from markupsafe import Markup

from registrar.queries.metric_series import GateLine, MetricPoint, MetricSeries
from registrar.text.sanitize import shown
from registrar.text.wording import cut, plural

# In the picture's units.
_WIDTH, _HEIGHT, _RIGHT, _TOP, _BOTTOM = 900, 270, 86, 18, 30
_PLOT = _WIDTH - _RIGHT
_LABEL = 34  # the least distance of two versions' numbers
_LINE = 15  # the least distance of two gates' words
_WORDS = 70  # characters of a gate's words
_ENOUGH = 5  # values from which on outliers are told from the others
_FENCE = 3.0  # interquartile ranges around the middle half that are no outliers
_LARGEST = sys.float_info.max

Mark = Literal["champion", "former", "quarantined", "held-back", "plain"]
LEGEND: dict[Mark, str] = {
    "champion": "champion now",
    "former": "champion before",
    "quarantined": "quarantined",
    "held-back": "held back by a gate",
    "plain": "other versions",
}


def mark_of(point: MetricPoint) -> Mark:
    """Return the kind of mark that a version has."""
    if point.quarantined:
        return "quarantined"
    if point.champion:
        return "champion" if point.champion == "now" else "former"
    return "held-back" if point.held_back else "plain"


def describe(point: MetricPoint) -> list[str]:
    """Return what is special about a version, in words."""
    champion = [LEGEND["champion" if point.champion == "now" else "former"]] if point.champion else []
    quarantined = [LEGEND["quarantined"]] if point.quarantined else []
    return [*champion, *quarantined, *(f"held back from {target}" for target in point.held_back)]


def legend(series: MetricSeries) -> list[tuple[Mark, str, Markup]]:
    """Return the marks that a chart has, each with its words and its picture."""
    used = {mark_of(point) for point in series.points if point.value is not None}
    form = Markup('<svg class="metric" viewBox="-9 -9 18 18" width="18" height="18" aria-hidden="true">{}</svg>')
    return [(mark, words, form.format(_shape(mark, 0, 0))) for mark, words in LEGEND.items() if mark in used]


def metric_chart(series: MetricSeries) -> Markup:
    """Draw an SVG; empty where no version has a finite value."""
    measured = [(nth, point, point.value) for nth, point in enumerate(series.points) if point.value is not None]
    if not measured:
        return Markup("")
    series = _visible(series)
    scale = _Scale(_range([value for *_, value in measured], series.lines), len(series.points))
    drawn = [
        *_axis(scale),
        *_numbers(series.points, scale),
        *_gates(series.lines, scale),
        _trend(measured, scale),
        *(_point(nth, point, value, scale, series.metric) for nth, point, value in measured),
    ]
    form = Markup('<svg class="metric" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return form.format(_WIDTH, _HEIGHT, _summary(series, measured), Markup("").join(drawn))


def _visible(series: MetricSeries) -> MetricSeries:
    """Escape what is invisible or moves other text in names, which trainers choose."""
    lines = [replace(line, words=shown(line.words)) for line in series.lines]
    return replace(series, metric=shown(series.metric), lines=lines)


@dataclass(frozen=True)
class _Range:
    """low < high. Halves are subtracted, as the distance of the largest floats is infinite."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Return where a value is: 0 at the low end, 1 at the high end, below 0 or above 1 outside."""
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)


@dataclass(frozen=True)
class _Scale:
    range: _Range
    versions: int

    def x(self, nth: int) -> float:
        return (nth + 0.5) * _PLOT / self.versions

    def y(self, value: float) -> float:
        """Return a height; a value outside the range is at its edge."""
        share = min(1.0, max(0.0, self.range.share(value)))
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    def is_outside(self, value: float) -> bool:
        return not self.range.low <= value <= self.range.high


def _range(values: Sequence[float], lines: Iterable[GateLine]) -> _Range:
    """Return the range that is drawn: of the values but for outliers, and of thresholds that are not far off."""
    usual = _without_outliers(values)
    low, high = min(usual), max(usual)
    reach = max(high / 2 - low / 2, abs(high) / 4, abs(low) / 4) * 2
    near = [line.threshold for line in lines if low - reach <= line.threshold <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    margin = (high / 2 - low / 2) / 5 or abs(low) / 10 or 1.0
    return _Range(max(-_LARGEST, low - margin), min(_LARGEST, high + margin))


def _without_outliers(values: Sequence[float]) -> Sequence[float]:
    """Leave out values far from the middle half (Tukey's outer fences)."""
    if len(values) < _ENOUGH:
        return values
    first, _, third = quantiles([value / 4 for value in values], n=4)  # a quarter each: sums stay finite
    reach = (third - first) * _FENCE
    usual = [value for value in values if first - reach <= value / 4 <= third + reach]
    return usual if reach > 0 and usual else values


def _ticks(drawn: _Range) -> list[float]:
    """Return some four round numbers within the range; its ends where floats are too coarse for that."""
    distance = drawn.high - drawn.low
    raw = distance / 4
    if not math.isfinite(distance) or raw < sys.float_info.min:
        return [drawn.low, drawn.high]
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next((magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= raw), raw)
    if not math.isfinite(step) or step <= 0:
        return [drawn.low, drawn.high]
    first = math.ceil(drawn.low / step)
    found = [(first + nth) * step for nth in range(6)]
    return [value for value in found if drawn.low <= value <= drawn.high] or [drawn.low, drawn.high]


def _axis(scale: _Scale) -> Iterator[Markup]:
    line = Markup('<line class="axis" x1="0" x2="{0}" y1="{1:.1f}" y2="{1:.1f}"/>')
    text = Markup('<text class="tick" x="{}" y="{:.1f}">{:.4g}</text>')
    for value in _ticks(scale.range):
        y = scale.y(value)
        yield line.format(_PLOT, y)
        yield text.format(_PLOT + 8, y + 4, value)


def _numbers(points: Sequence[MetricPoint], scale: _Scale) -> Iterator[Markup]:
    """Write versions' numbers, the newest always, and as many others as have room."""
    text = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
    last = math.inf
    for nth in range(len(points) - 1, -1, -1):
        x = scale.x(nth)
        if last - x >= _LABEL:
            yield text.format(x, _HEIGHT - 8, points[nth].version)
            last = x


def _gates(lines: Sequence[GateLine], scale: _Scale) -> Iterator[Markup]:
    line = Markup('<line class="gate" x1="0" x2="{0}" y1="{1:.1f}" y2="{1:.1f}"/>')
    text = Markup('<text class="gate" x="{}" y="{:.1f}" text-anchor="end">{}{}</text>')
    words_at = -math.inf
    for gate in sorted(lines, key=lambda gate: -gate.threshold):
        y, outside = scale.y(gate.threshold), scale.is_outside(gate.threshold)
        if not outside:
            yield line.format(_PLOT, y)
        words_at = max(y - 5, words_at + _LINE)
        far = f" ({'above' if gate.threshold > scale.range.high else 'below'} this picture)" if outside else ""
        yield text.format(_PLOT - 4, words_at, cut(gate.words, _WORDS), far)


def _trend(measured: Sequence[tuple[int, MetricPoint, float]], scale: _Scale) -> Markup:
    """Connect the versions that no gate holds back."""
    passed = [(nth, value) for nth, point, value in measured if not point.held_back]
    places = " ".join(f"{scale.x(nth):.1f},{scale.y(value):.1f}" for nth, value in passed)
    return Markup('<polyline class="trend" points="{}"/>').format(places) if len(passed) > 1 else Markup("")


def _point(nth: int, point: MetricPoint, value: float, scale: _Scale, metric: str) -> Markup:
    x, y, mark = scale.x(nth), scale.y(value), mark_of(point)
    title = f"version {point.version}: {', '.join([f'{metric} {value:.6g}', *describe(point)])}"
    form = Markup("<g><title>{}</title>{}</g>")
    if not scale.is_outside(value):
        return form.format(title, _shape(mark, x, y))
    up = value > scale.range.high
    tip, inner = (y - 9, y + 14) if up else (y + 9, y - 8)
    arrow = Markup('<path class="beyond" d="M{0:.1f} {1:.1f}l-5 {2}h10z"/>').format(x, tip, 7 if up else -7)
    anchor = "end" if x > _PLOT / 2 else "start"
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{:.3g}</text>')
    words = text.format(x + (-8 if anchor == "end" else 8), inner, anchor, value)
    return form.format(title, _shape(mark, x, y) + arrow + words)


def _shape(mark: Mark, x: float, y: float) -> Markup:
    """Return a mark: each kind has a shape of its own, so that colour is never needed."""
    return _SHAPES[mark].format(x, y)


_SHAPES: dict[Mark, Markup] = {
    "champion": Markup('<path class="champion" d="M{0:.1f} {1:.1f}m0 -8l8 8l-8 8l-8 -8z"/>'),
    "former": Markup('<path class="former" d="M{0:.1f} {1:.1f}m0 -7l7 7l-7 7l-7 -7z"/>'),
    "quarantined": Markup('<path class="quarantined" d="M{0:.1f} {1:.1f}m-6 -6h12v12h-12zl12 12m0 -12l-12 12"/>'),
    "held-back": Markup('<path class="held-back" d="M{0:.1f} {1:.1f}m-5 -5l10 10m0 -10l-10 10"/>'),
    "plain": Markup('<circle class="plain" cx="{0:.1f}" cy="{1:.1f}" r="4"/>'),
}


def _summary(series: MetricSeries, measured: Sequence[tuple[int, MetricPoint, float]]) -> str:
    """Return what the picture shows, for screen readers."""
    _, newest, value = measured[-1]
    sentences = [f"{series.metric} of {plural(len(measured), 'version')}", f"version {newest.version} has {value:.6g}"]
    sentences += [
        f"version {point.version}, the champion, has {value:.6g}"
        for _, point, value in measured
        if point.champion == "now"
    ]
    sentences += [line.words for line in series.lines]
    return f"{'; '.join(sentences)}. The table below has the numbers."
