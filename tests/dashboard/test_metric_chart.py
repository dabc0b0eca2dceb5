"""A metric over versions, as a picture: whatever the numbers are it is well-formed, and marks differ by shape."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from registrar.queries.metric_series import GateLine, MetricPoint, MetricSeries
from webhooks.dashboard.charts.metric_chart import LEGEND, legend, mark_of, metric_chart

LARGEST = 1.7976931348623157e308
LESS = GateLine(7.0, "gate of Staging: rmse < 7")


def series(values: Sequence[float | None], *lines: GateLine, metric: str = "rmse") -> MetricSeries:
    return MetricSeries(metric, [MetricPoint(nth, value) for nth, value in enumerate(values, 1)], lines, ())


def drawn(found: MetricSeries) -> ElementTree.Element:
    """Parsed: what is no XML is an error."""
    return ElementTree.fromstring(str(metric_chart(found)))  # noqa: S314 (an SVG of our own)


def texts(root: ElementTree.Element, cls: str) -> list[str]:
    return [str(one.text) for one in root.iter("text") if one.get("class") == cls]


def heights(found: MetricSeries) -> list[float]:
    """Of the versions' marks, oldest first."""
    return [float(one.attrib["cy"]) for one in drawn(found).iter("circle")]


@pytest.mark.parametrize(
    "values",
    [
        [6.2],
        [6.2] * 9,
        [0.0],
        [0.0, 0.0],
        [-3.0, -2.5, -9.0],
        [1e300, 2e300],
        [1e300, 1.0, 2.0, 3.0, 2.0, 1.0],
        [LARGEST, -LARGEST],
        [LARGEST] * 6,
        [-LARGEST],
        [5e-324, 1e-323],
        [1e300, math.nextafter(1e300, math.inf)],
        [LARGEST, -LARGEST, 0.0, 1.0, LARGEST, -LARGEST, 5e-324],
        [float(nth % 17) for nth in range(500)],
        [None, 1.0, None],
    ],
    ids=lambda values: f"{len(values)} from {values[0]}",
)
@pytest.mark.parametrize("lines", [(), (LESS,), (GateLine(-LARGEST, "a"), GateLine(LARGEST, "b"))], ids=len)
def test_whatever_the_numbers_are_the_picture_is_within_its_frame(values, lines):
    root = drawn(series(values, *lines))
    text = ElementTree.tostring(root, encoding="unicode")
    assert not re.search(r'="(nan|-?inf)', text)
    places = [float(one.attrib[key]) for one in root.iter() for key in ("cx", "x", "x1", "x2") if key in one.attrib]
    assert [place for place in places if not -1 <= place <= 900] == []
    up = [float(one.attrib[key]) for one in root.iter() for key in ("cy", "y", "y1", "y2") if key in one.attrib]
    assert [place for place in up if not 0 <= place <= 270] == []
    assert len([*root.iter("circle")]) == len([value for value in values if value is not None])


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_without_a_value_there_is_no_picture(values):
    assert metric_chart(series(values)) == ""


def test_greater_is_higher_and_the_newest_is_at_the_right():
    found = series([5.0, 7.0, 6.0])
    first, second, third = heights(found)
    assert second < third < first
    across = [float(one.attrib["cx"]) for one in drawn(found).iter("circle")]
    assert across == sorted(across)


def test_one_value_far_off_does_not_flatten_the_others():
    usual = [6.1, 6.4, 6.2, 6.3, 6.0, 6.5]
    found = series([*usual, 1e6])
    assert max(heights(found)[:-1]) - min(heights(found)[:-1]) > 100
    [arrow] = [one for one in drawn(found).iter("path") if one.get("class") == "beyond"]
    assert arrow is not None
    assert "1e+06" in texts(drawn(found), "tick")


def test_a_gate_is_a_line_with_its_words():
    root = drawn(series([6.2, 6.8], LESS))
    [line] = [one for one in root.iter("line") if one.get("class") == "gate"]
    assert float(line.attrib["y1"]) < min(heights(series([6.2, 6.8], LESS)))  # 7 is above both
    assert texts(root, "gate") == ["gate of Staging: rmse < 7"]


def test_a_gate_that_is_far_off_is_said_and_not_drawn():
    root = drawn(series([6.2, 6.8], GateLine(1000.0, "gate of Staging: rmse < 1000")))
    assert [one for one in root.iter("line") if one.get("class") == "gate"] == []
    assert texts(root, "gate") == ["gate of Staging: rmse < 1000 (above this picture)"]


def test_the_words_of_gates_that_agree_nearly_do_not_cover_each_other():
    lines = [GateLine(7 + nth / 1000, f"gate {nth}") for nth in range(3)]
    root = drawn(series([6.2, 7.8], *lines))
    at = sorted(float(one.attrib["y"]) for one in root.iter("text") if one.get("class") == "gate")
    assert all(b - a >= 15 for a, b in pairwise(at))


def test_each_kind_of_version_has_a_shape_of_its_own():
    points = [
        MetricPoint(1, 6.0, "before"),
        MetricPoint(2, 9.0, None, held_back=("Staging",)),
        MetricPoint(3, 6.1, "before", quarantined=True),
        MetricPoint(4, 6.2, "now"),
        MetricPoint(5, 6.3),
    ]
    found = MetricSeries("rmse", points, (), ())
    assert [mark_of(point) for point in points] == ["former", "held-back", "quarantined", "champion", "plain"]
    shapes = [str(picture) for _, _, picture in legend(found)]
    assert len(set(shapes)) == len(LEGEND) == 5
    titles = [one.text for one in drawn(found).iter("title")]
    assert titles[1] == "version 2: rmse 9, held back from Staging"
    assert titles[3] == "version 4: rmse 6.2, champion now"


def test_the_legend_has_what_the_picture_has():
    assert [mark for mark, *_ in legend(series([6.0, 6.1]))] == ["plain"]
    assert legend(series([None])) == []


def test_a_screen_reader_hears_the_newest_the_champion_and_the_gate():
    found = MetricSeries("rmse", [MetricPoint(1, 6.5, "now"), MetricPoint(2, 6.25)], (LESS,), ())
    assert drawn(found).attrib["aria-label"] == (
        "rmse of 2 versions; version 2 has 6.25; version 1, the champion, has 6.5; gate of Staging: rmse < 7. "
        "The table below has the numbers."
    )


def test_numbers_of_versions_have_room_and_the_newest_is_among_them():
    root = drawn(series([float(nth) for nth in range(500)]))
    shown = [one for one in root.iter("text") if one.get("text-anchor") == "middle"]
    across = sorted(float(one.attrib["x"]) for one in shown)
    assert all(b - a >= 34 for a, b in pairwise(across))
    assert str(shown[0].text) == "500"


def test_the_axis_has_round_numbers_within_the_picture():
    root = drawn(series([5.83, 6.2, 7.14]))
    assert [one.text for one in root.iter("text") if one.get("class") == "tick"][:3] == ["6", "6.5", "7"]


def test_what_is_hostile_is_text():
    found = series([1.0], GateLine(1.0, "<script>alert(1)</script>"), metric='"><img src=x>')
    text = str(metric_chart(found))
    assert not re.search("<script>|<img", text)
    assert drawn(found) is not None
    turned = series([1.0], GateLine(1.0, "gate \u202e"), metric="rm\u202ese")
    assert not re.search("\u202e", str(metric_chart(turned)))
    assert "rm\\u202ese of 1 version" in drawn(turned).attrib["aria-label"]
