"""An open page is read again only when something changed, and many open pages ask the ledger once a second."""

import html
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from registrar.ledger import Ledger
from tests.dashboard.conftest import FROM_OUTSIDE, House, Lived
from webhooks.dashboard import change_feed
from webhooks.dashboard.change_feed import ChangeFeed


@pytest.fixture
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "FRESH", 0.0)


@pytest.fixture
def reads(house: House) -> Iterator[list[Any]]:
    """Each time that the ledger is read."""
    begun: list[Any] = []
    note = begun.append
    event.listen(house.ledger.engine, "begin", note)
    yield begun
    event.remove(house.ledger.engine, "begin", note)


def test_a_page_that_is_still_current_is_a_304_without_a_body(lived: Lived, always_looks: None):
    for path in ("/", "/events", f"/promotions/{lived.promotion}", "/models/taxi"):
        etag = lived.house.get(path).headers["ETag"]
        again = lived.house.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag), path
        assert again.headers["Cache-Control"] == "no-store"


def test_the_page_knows_its_own_etag(lived: Lived):
    answer = lived.house.get("/")
    found = re.search(r'<body data-etag="([^"]*)"', answer.text)
    assert found
    assert html.unescape(found[1]) == answer.headers["ETag"]


def test_whatever_happens_a_page_is_read_anew(house: House, always_looks: None):
    def changed(etag: str) -> str:
        answer = house.get("/events", headers={"If-None-Match": etag})
        assert answer.status_code == 200
        return answer.headers["ETag"]

    etag = house.get("/events").headers["ETag"]
    house.happened("training_run.failed", {"model": "taxi"})
    etag = changed(etag)
    house.refused("no signature fits")
    changed(etag)


def test_an_error_page_has_no_etag(house: House, always_looks: None):
    answer = house.get("/events/evt_0")
    assert (answer.status_code, "ETag" in answer.headers) == (404, False)


def test_who_is_not_signed_in_learns_nothing_by_an_etag(lived: Lived, always_looks: None):
    etag = lived.house.get("/").headers["ETag"]
    for given in (etag, "*"):
        answer = lived.house.get("/", **FROM_OUTSIDE, headers={"If-None-Match": given})
        assert (answer.status_code, "ETag" in answer.headers) == (401, False)


def test_however_many_ask_while_the_etag_is_fresh_the_ledger_is_asked_once(
    house: House, reads: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(change_feed, "FRESH", 3600.0)
    changes = ChangeFeed(house.ledger)
    first = changes.etag()
    with ThreadPoolExecutor(8) as people:
        assert set(people.map(lambda _: changes.etag(), range(200))) == {first}
    assert len(reads) == 1


def test_nobody_waits_while_another_looks(house: House, always_looks: None):
    changes = ChangeFeed(house.ledger)
    before = changes.etag()
    house.happened("training_run.failed", {"model": "taxi"})
    begun, go_on = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        begun.set()
        go_on.wait(30)

    event.listen(house.ledger.engine, "before_cursor_execute", hold)
    with ThreadPoolExecutor(1) as other:
        looking = other.submit(changes.etag)
        assert begun.wait(30)
        assert changes.etag() == before
        go_on.set()
        assert looking.result(30) != before
    event.remove(house.ledger.engine, "before_cursor_execute", hold)


def test_without_a_ledger_nothing_is_called_current(tmp_path: Path):
    assert ChangeFeed(Ledger(f"sqlite:///{tmp_path}/no/folder/ledger.db")).etag() is None
