"""Who held what when, as a picture and as a table: a stage and the alias that goes with it are one row."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from registrar.events.outcome import Outcome
from registrar.ledger.disputes import Disputed, Settled
from registrar.ledger.holders import HoldingEnded
from registrar.ledger.queries.holdings import Holding
from tests.dashboard.conftest import Lived
from webhooks.dashboard.timeline import timeline

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def held(kind: str, key: str, version: int, since: int, until: int | None = None) -> Holding:
    """since, until: hours after noon."""
    times = (NOON + timedelta(hours=since), None if until is None else NOON + timedelta(hours=until))
    return Holding(1, "taxi", kind, key, version, *times, "evt_1", "training_run.finished", "ada", "Ada")


def rows(*found: Holding) -> list[str]:
    """What is said aloud of each row."""
    said = timeline(found, NOON + timedelta(hours=9)).split('aria-label="')[1].split('"')[0]
    return said.removeprefix("Which version held what when. ").split(". The table")[0].split("; ")


def test_what_always_went_together_is_one_row():
    production = (held("stage", "Production", 1, 0, 2), held("stage", "Production", 2, 2))
    champion = (held("alias", "champion", 1, 0, 2), held("alias", "champion", 2, 2))
    assert rows(*production, *champion) == ["Production @champion: 2 so far, now version 2"]
    assert str(timeline([*production, *champion], NOON)).count("<rect") == 2


def test_a_stage_that_is_cleared_a_moment_after_its_alias_went_is_no_other_row():
    production = (held("stage", "Production", 1, 0, 2), held("stage", "Production", 2, 2))
    gone = replace(production[0], kind="alias", key="champion", until=NOON + timedelta(hours=2, seconds=-3))
    later = replace(gone, until=NOON + timedelta(hours=1))
    champion = held("alias", "champion", 2, 2)
    assert rows(*production, gone, champion) == ["Production @champion: 2 so far, now version 2"]
    assert len(rows(*production, later, champion)) == 2


def test_what_parted_once_is_two():
    found = rows(
        held("stage", "Production", 1, 0, 2),
        held("alias", "champion", 1, 0),
        held("stage", "Production", 2, 2),
    )
    assert found == ["Production: 2 so far, now version 2", "@champion: 1 so far, now version 1"]


def test_an_alias_that_is_called_like_a_stage_is_none():
    found = rows(held("stage", "Production", 1, 0, 2), held("alias", "Production", 2, 1))
    assert found == ["Production: 1 so far, now none", "@Production: 1 so far, now version 2"]


def bars(*found: Holding) -> dict[str, tuple[float, float, float]]:
    """Of each version in its row: where its bar begins, its width, and how far down it is."""
    picture = str(timeline(found, NOON + timedelta(hours=9)))
    form = r'<rect class="bar[^"]*" x="([\d.]+)" y="(\d+)" width="([\d.]+)"[^>]*><title>version (\d+) held'
    return {version: (float(x), float(width), float(y)) for x, y, width, version in re.findall(form, picture)}


def labels(*found: Holding) -> list[str]:
    return re.findall(
        r'<text class="(?:on|beside)"[^>]*>([^<]+)</text>', str(timeline(found, NOON + timedelta(hours=9)))
    )


def test_what_overlaps_is_in_lanes_of_its_own():
    found = bars(held("stage", "Archived", 1, 1), held("stage", "Archived", 2, 3), held("stage", "Archived", 3, 5))
    assert len({y for *_, y in found.values()}) == 3
    one_after_the_other = bars(held("stage", "Production", 1, 0, 4), held("stage", "Production", 2, 4))
    assert len({y for *_, y in one_after_the_other.values()}) == 1


def test_the_shortest_holding_has_its_number_too():
    minutes = replace(held("stage", "Production", 2, 4), until=NOON + timedelta(hours=4, seconds=30))
    row = (held("stage", "Production", 1, 0, 4), minutes, held("stage", "Production", 3, 4))
    assert sorted(labels(*row)) == ["1", "2", "3"]
    found = bars(*row)
    assert found["2"][1] == 3.0
    assert found["2"][2] != found["3"][2]  # its number would stand on the next bar


def test_the_present_is_at_the_right_and_the_oldest_of_too_many_are_left_to_the_table():
    archived = [held("stage", "Archived", nth, 0) for nth in range(1, 21)]
    archived = [replace(one, since=one.since + timedelta(minutes=nth)) for nth, one in enumerate(archived)]
    found = bars(*archived)
    assert set(found) == {str(nth) for nth in range(15, 21)}
    assert all(x + width <= 760 for x, width, _ in found.values())
    assert "and 14 earlier" in str(timeline(archived, NOON + timedelta(hours=9)))


def test_the_pages_say_it_once(lived: Lived):
    text = lived.house.get("/models/taxi").text
    assert text.count("<td>Production @champion</td>") == 1
    [cell] = re.findall(r'<td data-as="Production">(.*?)</td>', lived.house.get("/models").text, re.DOTALL)
    assert (cell.count("version 1"), cell.count("@champion")) == (1, 1)
    assert 'Production <span class="soft">@champion</span></h2>' in text


def test_what_ended_since_its_version_was_made_anew_says_so(lived: Lived):
    because = "taxi was made anew in MLflow: taxi version 1, made on 2026-11-29 12:00:00 UTC"
    gone = Outcome("gone", records=(HoldingEnded("taxi", "stage", 1, "Production", because=because),))
    lived.house.happened("registry.reconcile", {"model": "taxi"}, gone)
    assert because in lived.house.get("/models/taxi").text


def test_a_model_in_dispute_says_why(lived: Lived):
    why = "MLflow and the record of taxi don't fit together"
    lived.house.happened("registry.reconcile", {"model": "taxi"}, Outcome(why, records=(Disputed("taxi", why),)))
    page = lived.house.get("/models/taxi").text
    assert "In dispute since" in page
    assert "MLflow and the record of taxi don&#39;t fit together" in page
    lived.house.happened("registry.reconcile", {"model": "taxi"}, Outcome("so", records=(Settled("taxi", "so"),)))
    assert "In dispute" not in lived.house.get("/models/taxi").text
