"""Who is alive, and who works: what each process last said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registrar.ledger import heartbeats
from registrar.ledger.heartbeats import Heartbeat

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WORKER = Heartbeat("worker", "host-a:7", "0.1.0", NOON, NOON)
BEAT = Heartbeat("beat", "host-a:8", "0.1.0", NOON, NOON)


def after(**time: float) -> datetime:
    return NOON + timedelta(**time)


def known(ledger) -> list[Heartbeat]:
    with ledger.read() as connection:
        return heartbeats.all_known(connection)


def beat(ledger, *said: Heartbeat) -> None:
    with ledger.write() as connection:
        for one in said:
            heartbeats.beat(connection, one)


def test_a_process_has_one_row_that_says_the_latest(ledger):
    later = replace(WORKER, seen_at=after(seconds=10), last_bell_at=after(seconds=9), in_hand=2)
    beat(ledger, WORKER, BEAT, later)
    assert known(ledger) == [BEAT, later]


def test_of_a_part_the_one_heard_last_comes_first(ledger):
    other = replace(WORKER, instance="host-b:7", seen_at=after(seconds=5))
    beat(ledger, WORKER, other)
    assert known(ledger) == [other, WORKER]


def test_one_that_stopped_in_good_order_is_not_missed(ledger):
    beat(ledger, WORKER, BEAT)
    with ledger.write() as connection:
        heartbeats.stopped(connection, replace(WORKER, in_hand=1))
    assert known(ledger) == [BEAT]


def test_one_that_died_is_kept_for_an_hour(ledger):
    beat(ledger, WORKER, replace(BEAT, seen_at=after(minutes=59)))
    assert WORKER in known(ledger)
    beat(ledger, replace(BEAT, seen_at=after(minutes=61)))
    assert WORKER not in known(ledger)


def test_who_missed_three_heartbeats_is_silent():
    assert not WORKER.silent(after(seconds=34))
    assert WORKER.silent(after(seconds=36))


@pytest.mark.parametrize(
    ("said", "idle"),
    [
        ({}, True),
        ({"last_bell_at": after(seconds=30)}, False),
        ({"in_hand": 4}, False),
    ],
)
def test_who_lives_yet_takes_no_doorbell_is_idle(said, idle):
    assert replace(WORKER, seen_at=after(seconds=61), **said).idle(after(seconds=61)) is idle
