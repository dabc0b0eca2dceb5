"""The picture of a metric has a point for each version, and its label the numbers."""

import re

import pytest

from registrar.queries.model_metric import MetricTrend, Reading
from webhooks.dashboard.charts.sparkline import describe, sparkline

LARGEST = 1.7e308


def trend(*values: float, champion: int | None = None, held_back: int | None = None) -> MetricTrend:
    readings = tuple(Reading(nth, value, nth == held_back) for nth, value in enumerate(values, 1))
    return MetricTrend("f1", True, readings, readings[champion - 1] if champion else None)


def heights(picture: str) -> list[float]:
    found = re.search(r'points="([^"]+)"', picture)
    return [float(point.split(",")[1]) for point in found[1].split()] if found else []


def test_without_a_reading_there_is_no_picture():
    assert sparkline(trend()) == ""


def test_a_higher_value_is_higher():
    low, high, middle = heights(sparkline(trend(0.5, 0.9, 0.7)))
    assert high < middle < low


@pytest.mark.parametrize("values", [(1.0, 1.0), (-LARGEST, LARGEST), (5e-324, 0.0)])
def test_every_point_is_in_the_picture(values: tuple[float, ...]):
    assert all(0 <= height <= 28 for height in heights(sparkline(trend(*values))))


def test_one_version_is_a_point_and_no_line():
    picture = sparkline(trend(0.5))
    assert ("<polyline" in picture, picture.count("<circle")) == (False, 1)


def test_the_champion_and_what_was_held_back_are_told_apart_by_shape_and_in_words():
    shown = trend(0.5, 0.9, 0.7, champion=2, held_back=3)
    picture = sparkline(shown)
    assert (picture.count('class="spark-champion"'), picture.count('class="spark-held"')) == (1, 1)
    assert describe(shown) == (
        "f1 by version, higher is better: version 1 0.5, version 2 0.9 (the champion), version 3 0.7 (held back)"
    )


def test_a_name_from_outside_is_escaped():
    picture = sparkline(MetricTrend('"><script>', False, (Reading(1, 1.0),), None))
    assert "<script>" not in picture
