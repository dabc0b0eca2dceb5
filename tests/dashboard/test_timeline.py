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


def test_the_pages_say_it_once(lived: Lived):
    text = lived.house.get("/models/taxi").text
    assert text.count("<td>Production @champion</td>") == 1
    assert "<dt>Production @champion, since" in text
    [cell] = re.findall(r'<td data-as="Production">(.*?)</td>', lived.house.get("/models").text, re.DOTALL)
    assert (cell.count("version 1"), cell.count("@champion")) == (1, 1)


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
