"""The list of promotions: what waits for the reader, what is open, what is decided, and at what cost."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests
from sqlalchemy import event

from registrar.events.outcome import Outcome
from registrar.ledger.votes import VoteCast
from tests.actions.versions import trained
from tests.cli.setting import House, living
from tests.dashboard import conftest
from tests.dashboard.conftest import asked, registered
from tests.dashboard.test_promotion_page import POLICY, token
from tests.worker.harness import ADA, BOB, EVE


@pytest.fixture
def at_work(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY, operator="ada") as house:
        yield house


def text_of(house: House, path: str, headers: dict[str, str] | None = None) -> str:
    answer = requests.get(house.url + path, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return unescape(re.sub(r"\s+", " ", answer.text))


def listed(text: str) -> list[list[str]]:
    """The cells of each row."""
    rows = re.findall(r"<tr>\s*<td>.*?</tr>", text, re.DOTALL)
    return [[_words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]


def _words(text: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))).strip()


def names(text: str) -> list[str]:
    return [re.sub(r" (waits for you|needs|due).*", "", row[0]) for row in listed(text)]


def test_needs_me_is_what_my_vote_would_bring_further(at_work: House):
    trained(at_work.harness, "r1")
    assert names(text_of(at_work, "/promotions?show=mine")) == ["taxi version 1 to Production"]
    assert 'Needs me <span class="count some">1</span>' in text_of(at_work, "/promotions")
    at_work.harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    mine = text_of(at_work, "/promotions?show=mine")
    assert "Nothing waits for you." in mine
    assert "1 promotion is open" in mine
    bob, eve = token(at_work, "bob", "approver"), token(at_work, "eve", "approver")
    assert names(text_of(at_work, "/promotions?show=mine", bob)) == []  # leads has all it needs
    assert names(text_of(at_work, "/promotions?show=mine", eve)) == ["taxi version 1 to Production"]


def test_an_open_one_says_what_it_lacks_and_a_decided_one_how_long_it_took(at_work: House):
    trained(at_work.harness, "r1")
    at_work.harness.post("promotion.approve", by=BOB, model="taxi", version=1)
    [[what, state, votes, by, waits, decided]] = listed(text_of(at_work, "/promotions"))
    assert "needs leads: agreed ; and 1 more of risk : Eve" in what
    assert (state, votes, by.partition(",")[0], decided) == ("awaiting approval", "1/2", "ci", "")
    assert re.fullmatch(r"\d+ s", waits)
    at_work.harness.later(hours=3)
    at_work.harness.post("promotion.approve", by=EVE, model="taxi", version=1)
    assert "No promotion is open" in text_of(at_work, "/promotions")
    [[what, state, votes, by, took, decided]] = listed(text_of(at_work, "/promotions?show=decided"))
    assert (what, state, votes, took) == ("taxi version 1 to Production", "promoted", "2/2", "3 h")
    assert decided.startswith("Bob, Eve, ")


def test_automatic_ones_are_apart(at_work: House):
    trained(at_work.harness, "r1")
    at_work.harness.post("promotion.reject", by=ADA, model="taxi", version=1)
    decided = text_of(at_work, "/promotions?show=decided")
    assert names(decided) == ["taxi version 1 to Production"]
    assert listed(decided)[0][5].startswith("Ada, ")
    [more] = re.findall(r'href="([^"]+)">Include automatic ones', decided)
    both = text_of(at_work, more)
    assert names(both) == ["taxi version 1 to Production", "taxi version 1 to Staging"]
    assert listed(both)[1][5].startswith("automatic, ")
    assert "Leave out automatic ones" in both
    assert len(listed(text_of(at_work, "/promotions?show=all"))) == 2
    assert len(listed(text_of(at_work, "/promotions?model=taxi"))) == 2


@pytest.mark.parametrize("query", ["show=x", "show=mine&before=x", "automatic=no", "state=x"])
def test_a_wrong_choice_is_said(house: conftest.House, query: str):
    assert house.get(f"/promotions?{query}").status_code == 422


def several(house: conftest.House, count: int, *, start: int = 0) -> None:
    for nth in range(start, start + count):
        opened = asked(house, f"model-{nth}", 1)
        vote = VoteCast(opened.id, "approve", True, "")
        house.happened(
            "training_run.finished",
            {"model": f"model-{nth}", "run_id": "r1"},
            registered(f"model-{nth}", 1, rmse=6.0),
            Outcome("asked", records=(opened, vote)),
        )


@pytest.mark.parametrize("show", ["mine", "open", "all"])
def test_each_list_comes_a_page_at_a_time(house: conftest.House, monkeypatch: pytest.MonkeyPatch, show: str):
    monkeypatch.setattr("webhooks.dashboard.promotions.MOST", 2)
    several(house, 5)
    found, path = [], f"/promotions?show={show}"
    for _ in range(3):
        text = house.get(path).text
        found += names(text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = unescape(older[1]) if older else ""
    expected = [f"model-{nth} version 1 to Production" for nth in range(5)]
    assert (path, found) == ("", expected if show == "mine" else expected[::-1])


@pytest.mark.parametrize("path", ["/promotions?show=mine", "/promotions", "/promotions?show=all"])
def test_the_number_of_statements_does_not_grow_with_the_list(house: conftest.House, path: str):
    several(house, 2)
    statements(house, path)  # the first request also opens connections
    few = statements(house, path)
    several(house, 10, start=2)
    assert statements(house, path) == few


def statements(house: conftest.House, path: str) -> int:
    counted: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        counted.append(statement)

    engine = house.client.application.extensions["ledger"].engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        assert house.get(path).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)
