"""Each way for the work not to be done has its line."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.heartbeats import Heartbeat, beat
from registrar.ledger.tables import tasks
from tests.doctor.conftest import SiteOf, looked, troubles


def alive(
    ledger: Ledger, part: str, *, instance: str = "host:1", ago: float = 1, task_message: float = 1, **more: object
) -> None:
    at = now()
    heartbeat = Heartbeat(part, instance, "0.1.0", at - timedelta(hours=1), at - timedelta(seconds=ago))
    heard = replace(heartbeat, last_dispatched_at=at - timedelta(seconds=task_message), **more)
    with ledger.write() as connection:
        beat(connection, heard)


@pytest.fixture
def team(ledger: Ledger) -> Ledger:
    """A worker and a beat that are well."""
    alive(ledger, "worker")
    alive(ledger, "beat")
    return ledger


def waits(ledger: Ledger, since: datetime, **changed: object) -> None:
    event = Event(parse("experiment.create", {"name": "x"}), Actor("ada", "Ada"), since)
    with ledger.write() as connection:
        accept(connection, Delivery("ci", str(since), "a" * 64), [event], at=since)
        connection.execute(update(tasks).values(not_before=since, **changed))


@pytest.mark.both_ledgers
def test_a_team_that_works_has_no_trouble(site: SiteOf, team: Ledger):
    assert troubles("work", site()) == []
    assert looked("work", site())[0].seen == "1 worker alive, 0 tasks in hand"


@pytest.mark.parametrize("part", ["worker", "beat"])
def test_one_that_is_missing_or_silent_is_said(site: SiteOf, team: Ledger, part: str):
    alive(team, part, ago=3000)
    [(level, seen, do)] = troubles("work", site())
    assert (level, f"no {part} is alive (last heartbeat " in seen) == ("FAIL", True)
    assert f"python -m worker {'run' if part == 'worker' else 'beat'}" in do


def test_of_what_was_stopped_in_good_order_it_is_not_said_that_it_never_was(site: SiteOf):
    """Such a part takes its heartbeat away."""
    for _, seen, do in troubles("work", site()):
        assert "(none was started, or the last one was shut down)" in seen
        assert do.startswith("Start one: registrar up, or ")


def test_that_none_was_ever_heard_is_said(site: SiteOf):
    assert [seen.partition(" (")[0] for _, seen, _ in troubles("work", site())] == [
        "no worker is alive",
        "no beat is alive",
    ]


def test_a_worker_that_lives_and_hears_nothing_is_told_from_one_that_is_dead(site: SiteOf, team: Ledger):
    alive(team, "worker", task_message=300)
    [(level, seen, do)] = troubles("work", site())
    assert (level, "1 worker alive, but without messages from or to the broker" in seen, "broker" in do) == (
        "FAIL",
        True,
        True,
    )
    alive(team, "worker", task_message=300, in_hand=1)
    assert troubles("work", site()) == []


def test_two_versions_at_once_are_said(site: SiteOf, team: Ledger):
    alive(team, "worker", instance="host:2", version="0.0.9")
    [(level, seen, _)] = troubles("work", site())
    assert (level, "0.0.9, 0.1.0" in seen) == ("warn", True)


@pytest.mark.both_ledgers
@pytest.mark.parametrize(("minutes", "level"), [(5, "warn"), (60, "FAIL")])
def test_work_that_waits_for_long_is_said(site: SiteOf, team: Ledger, minutes: int, level: str):
    waits(team, now() - timedelta(minutes=minutes))
    [(found, seen, _)] = troubles("work", site())
    assert (found, "1 task is due, the oldest for" in seen) == (level, True)


def test_what_is_tried_again_is_said_with_its_error(site: SiteOf, team: Ledger):
    waits(team, now() + timedelta(seconds=40), attempts=3, error="the registry does not answer")
    [(level, seen, _)] = troubles("work", site())
    assert (level, "worker.create_experiment: the registry does not answer" in seen) == ("warn", True)


def test_dead_letters_are_said(site: SiteOf, team: Ledger):
    waits(team, now(), state="dead", finished_at=now())
    [(level, seen, _)] = troubles("work", site())
    assert (level, "1 task failed for good (dead)" in seen) == ("warn", True)


def test_a_ledger_that_can_not_be_read_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("work", site(REGISTRAR_LEDGER_URL="postgresql+psycopg://u@127.0.0.1:1/x"))
    assert (level, "the ledger can't be read" in seen) == ("FAIL", True)


def test_one_of_two_that_is_silent_is_named(site: SiteOf, team: Ledger):
    """It was stopped (SIGSTOP), say."""
    alive(team, "worker", instance="there:2", ago=60)
    [(level, seen, do)] = troubles("work", site())
    assert (level, "worker there:2 was last heard of at" in seen, "restart it" in do) == ("warn", True, True)
    assert "1 worker alive, 0 tasks in hand" in [one.seen for one in looked("work", site())]


@pytest.mark.parametrize("part", ["receiver", "worker", "beat"])
def test_one_that_lives_and_whose_loop_stands_still_is_named(site: SiteOf, team: Ledger, part: str):
    alive(team, part, turned_at=now() - timedelta(seconds=90))
    [(level, seen, _)] = troubles("work", site())
    assert (level, seen) == ("FAIL", f"{part} host:1 is alive, but its main loop hangs")
