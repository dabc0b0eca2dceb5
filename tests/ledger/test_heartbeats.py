"""Who is alive, and who works: what each process last said."""

import os
import socket
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from registrar.config.encryption import Encryptor
from registrar.ledger import Ledger, heartbeats
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import Heartbeat, fits, mismatches
from registrar.telemetry.heartbeat import HeartbeatWriter

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
    later = replace(WORKER, seen_at=after(seconds=10), last_dispatched_at=after(seconds=9), in_hand=2)
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
        ({"last_dispatched_at": after(seconds=30)}, False),
        ({"in_hand": 4}, False),
    ],
)
def test_who_lives_yet_takes_no_doorbell_is_idle(said, idle):
    assert replace(WORKER, seen_at=after(seconds=61), **said).idle(after(seconds=61)) is idle


def test_its_times_are_the_databases_whatever_the_clock_of_who_writes_says(ledger, ledger_url, monkeypatch):
    """A machine whose clock is a minute off, either way: it is alive, and how far its clock is off stands beside."""
    for seconds in (-60, 60):
        monkeypatch.setattr("registrar.telemetry.heartbeat.now", lambda off=seconds: now() + timedelta(seconds=off))
        with closing(Ledger(ledger_url)) as own:
            HeartbeatWriter(own, "worker").write()
        [found] = known(ledger)
        assert not found.silent(now())
        assert abs(found.seen_at - now()) < timedelta(seconds=20)
        if ledger_url.startswith("postgresql"):
            assert abs(found.clock_ahead - seconds) < 2
        else:  # the same machine's clock
            assert found.clock_ahead is None


def test_who_goes_on_under_the_name_of_one_that_stopped_is_kept(ledger):
    """A receiver that reads registrar.yml again: the application before it ends later."""
    before, after_it = HeartbeatWriter(ledger, "receiver"), HeartbeatWriter(ledger, "receiver")
    before.write()
    after_it.write()
    [found] = known(ledger)
    with ledger.write() as connection:
        heartbeats.stopped(connection, replace(found, started_at=found.started_at - timedelta(milliseconds=1)))
    assert known(ledger) == [found]


def test_one_that_died_is_forgotten_when_another_takes_its_place_on_its_machine(ledger):
    host, at = socket.gethostname(), now()
    with subprocess.Popen(["true"]) as process:
        process.wait()
    gone = Heartbeat("worker", f"{host}:{process.pid}", "0.1.0", at, at)
    beat(ledger, gone, replace(gone, part="beat"), replace(gone, instance=f"elsewhere:{process.pid}"))
    HeartbeatWriter(ledger, "worker").write()
    assert {(one.part, one.instance) for one in known(ledger)} == {
        ("beat", gone.instance),
        ("worker", f"elsewhere:{process.pid}"),
        ("worker", f"{host}:{os.getpid()}"),
    }


def test_keys_that_open_what_the_other_closes_fit():
    assert all(fits(*pair) for pair in [("a", "a"), ("b,a", "b,a"), ("b,a", "a,b")])
    assert not any(fits(*pair) for pair in [("a", "b"), ("b,a", "a"), ("a", "b,a")])


def test_who_works_with_another_key_or_file_than_the_most_is_apart():
    usual = [replace(WORKER, instance=f"h:{n}", keys="k", config="c") for n in (1, 2)]
    key, file = replace(WORKER, instance="h:3", keys="x", config="c"), replace(BEAT, keys="k", config="x")
    silent_about_it = replace(BEAT, instance="h:4")
    assert mismatches([key, file, silent_about_it, *usual]) == {"keys": [key], "config": [file]}
    two = [replace(usual[1], started_at=after(seconds=1), keys="x"), usual[0]]
    assert mismatches(two) == {"keys": [two[0]], "config": []}
    assert mismatches([]) == {"keys": [], "config": []}


def test_a_digest_of_a_key_gives_nothing_of_it_away():
    key, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    assert Encryptor(f"{key},{other}").digests == (*Encryptor(key).digests, *Encryptor(other).digests)
    assert all(len(digest) == 16 and digest not in key for digest in Encryptor(f"{key},{other}").digests)
    assert Encryptor(key).digests != Encryptor(other).digests
