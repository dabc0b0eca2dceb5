"""Streams tell of changes, are few, and end."""

import itertools
import threading

import pytest

from tests.pages.conftest import House
from webhooks.pages import live
from webhooks.pages.live import Watch

CHANGED = b"event: changed\ndata: {}\n\n"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.05)


def test_a_change_of_the_ledger_is_told_to_all_streams(house: House, quick: None):
    watch = Watch(house.ledger)
    assert watch.enter()
    lines = watch.told()
    # A page is older than its stream: it is read once more when from now on nothing is missed.
    assert CHANGED in itertools.islice(lines, 20)
    assert CHANGED not in list(itertools.islice(lines, 4))
    house.happened("training_run.failed", {"model": "taxi"})
    assert any(b"changed" in line for line in itertools.islice(lines, 200))
    watch.leave()


def test_who_comes_later_is_told_too_that_the_page_may_be_old(house: House, quick: None):
    watch = Watch(house.ledger)
    assert watch.enter()
    assert CHANGED in itertools.islice(watch.told(), 20)
    assert watch.enter()
    later = watch.told()
    assert CHANGED in itertools.islice(later, 3)
    assert CHANGED not in list(itertools.islice(later, 4))
    watch.leave()
    watch.leave()


def test_there_are_few_and_who_comes_beyond_is_told_not_to_come_again(house: House):
    streams = [house.client.get("/stream", base_url="http://127.0.0.1:8080") for _ in range(live.MOST)]
    assert {answer.status_code for answer in streams} == {200}
    assert streams[0].mimetype == "text/event-stream"
    assert house.get("/stream").status_code == 204
    streams[0].close()
    again = house.get("/stream")
    assert again.status_code == 200
    for answer in [*streams[1:], again]:
        answer.close()


def test_one_thread_looks_for_all_and_only_while_somebody_listens(house: House, quick: None):
    before = set(threading.enumerate())
    watch = Watch(house.ledger)
    assert [watch.enter() for _ in range(live.MOST)] == [True] * live.MOST
    looking = [thread for thread in threading.enumerate() if thread.name == live.NAME and thread not in before]
    assert len(looking) == 1
    for _ in range(live.MOST):
        watch.leave()
    looking[0].join(10)
    assert not looking[0].is_alive()


def test_streams_end_when_the_receiver_stops(house: House, quick: None):
    watch = Watch(house.ledger)
    assert watch.enter()
    lines = watch.told()
    next(lines)
    watch.stop()
    assert len(list(lines)) <= 1
    watch.leave()
