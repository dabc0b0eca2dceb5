"""What waits for the reader is first on the overview, and counted on every page; it costs few statements."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from registrar.events.outcome import Cause, Outcome
from registrar.ledger.disputes import Disputed
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import Heartbeat, beat
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.votes import VoteCast
from registrar.queries.overview import MODELS
from tests.broker import Broker
from tests.dashboard.conftest import House, Lived, asked, asking, registered
from tests.dashboard.test_pages import pages
from webhooks.app import create_app
from webhooks.dashboard import change_feed


@pytest.fixture
def statements(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The queries of pages, with those of the ETag each time."""
    monkeypatch.setattr(change_feed, "FRESH", 0.0)
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            found.append(statement)

    engine = house.client.application.extensions["ledger"].engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def title(house: House, path: str) -> str:
    found = re.search(r"<title>([^<]*)</title>", house.get(path).text)
    assert found
    return found[1]


def as_person(house: House, who: str) -> House:
    """The same receiver with another person at its machine."""
    settings = replace(house.settings, local_operator=who)
    return House(create_app(settings).test_client(), house.ledger, settings)


def open_promotion(house: House, model: str, version: int = 2) -> str:
    opened = asked(house, model, version)
    held = tuple(HoldingStarted(model, kind, key, 1) for kind, key in (("stage", "Production"), ("alias", "champion")))
    outcome = Outcome("asked", (asking(opened),), records=(*held, opened))
    data = {"model": model, "run_id": f"r{version}"}
    house.happened("training_run.finished", data, registered(model, version, rmse=6.5), outcome)
    return opened.id


def test_every_page_counts_what_waits_for_its_reader(lived: Lived):
    for path in pages(lived):  # an approval, and a task that failed for good
        text = lived.house.get(path).text
        assert '<span class="count">2<span class="hidden"> waiting for you</span></span>' in text, path
        assert title(lived.house, path).startswith("(2) "), path
    assert title(lived.house, "/") == "(2) Overview · Registrar"


def test_the_overview_lists_it_first(lived: Lived):
    text = lived.house.get("/").text
    lead, waiting, models = text.index('id="lead"'), text.index('id="waiting"'), text.index('id="models"')
    assert lead < waiting < models
    listed = text[waiting:models]
    assert f'href="/promotions/{lived.promotion}"' in listed
    assert "2 more of <strong>leads</strong>: Ada Approver, Bob" in listed
    assert re.search(r'href="/dead">1 task failed for good</a>', listed)


def test_nothing_is_counted_for_who_may_not_act(house: House):
    open_promotion(house, "taxi")
    settings = replace(house.settings, local_operator=None)
    nobody = House(create_app(settings).test_client(), house.ledger, settings)
    text = nobody.get("/").text
    assert title(nobody, "/") == "Overview · Registrar"
    assert '<span class="count">' not in text
    assert "1 promotion waits</a> for others" in text


def test_what_the_reader_approved_waits_for_them_no_more(lived: Lived):
    with lived.house.ledger.write() as connection:
        VoteCast(lived.promotion, "approve", True, "fine").apply(connection, Cause(lived.event, "ada", "Ada", now()))
    assert title(lived.house, "/") == "(1) Overview · Registrar"
    assert title(as_person(lived.house, "bob"), "/").startswith("(2) ")


def test_a_dispute_waits_for_an_operator(house: House):
    house.happened("model.review", {"model": "taxi"}, Outcome("x", records=(Disputed("taxi", "two pasts"),)))
    text = house.get("/").text
    assert title(house, "/") == "(1) Overview · Registrar"
    assert "two pasts" in text[text.index('id="waiting"') : text.index('id="models"')]


def test_an_error_page_counts_nothing_and_is_not_kept_live(lived: Lived):
    answer = lived.house.get("/events/evt_0")
    assert answer.status_code == 404
    assert "data-live" not in answer.text
    assert not re.match(r"\(\d", re.findall(r"<title>([^<]*)", answer.text)[0])


@pytest.mark.parametrize("path", ["/", "/models"])
def test_more_models_and_promotions_take_no_more_statements(house: House, statements: list[str], path: str):
    def count() -> int:
        statements.clear()
        assert house.get(path).status_code == 200
        return len(statements)

    for nth in range(2):
        open_promotion(house, f"model-{nth}")
    house.get(path)
    before = count()
    for nth in range(2, 25):
        open_promotion(house, f"model-{nth}")
    # the time of incidents is found by bisection in the journal, which takes some more steps the longer it is
    assert count() <= before + 8


def test_a_page_without_a_list_takes_few_statements_for_its_count(house: House, statements: list[str]):
    for nth in range(12):
        open_promotion(house, f"model-{nth}")
    statements.clear()
    house.get("/policy")
    assert len(statements) <= 5 + 5  # of the ETag


def test_the_models_that_wait_for_the_reader_come_first_and_all_are_counted(house: House):
    open_promotion(house, "a-first")
    for nth in range(MODELS + 4):
        held = HoldingStarted(f"model-{nth:02}", "stage", "Production", 1)
        data = {"model": f"model-{nth:02}", "run_id": "r1"}
        house.happened("training_run.finished", data, registered(f"model-{nth:02}", 1), Outcome("x", records=(held,)))
    text = house.get("/").text
    names = re.findall(r'<th scope="row"><a href="/models/([^"]+)">', text)
    assert (len(names), names[0], names[1]) == (MODELS, "a-first", f"model-{MODELS + 3:02}")
    assert f"All {MODELS + 5} models" in text


def test_the_feed_has_one_item_for_each_version_and_no_codes(lived: Lived):
    text = lived.house.get("/").text
    feed = text[text.index('id="lately"') :].partition("</section>")[0]
    assert not re.search(r"(model_version|promotion|training_run)\.\w+", re.sub(r"<code>.*?</code>", "", feed))
    assert len(re.findall(r">taxi version 2</a>", feed)) == 1
    assert re.search(r'<span class="state wait">awaiting approval</span> <a href="/promotions/', feed)
    assert '<span class="state wait">held back</span>' in feed


def test_refused_requests_are_counted_and_no_failures(lived: Lived):
    text = lived.house.get("/").text
    assert 'Refused in 24 hours: <a href="/rejections">1 request</a>' in text
    assert "no signature of the source" not in text
    assert "state bad" not in lived.house.get("/rejections").text.partition("<main")[2]


def parts_section(house: House) -> str:
    return house.get("/").text.partition('id="parts-live"')[2].partition("</section>")[0]


def test_parts_that_are_well_take_one_line_and_others_are_listed(house: House, broker: Broker):
    settings = replace(house.settings, broker_url=broker.url)
    served = House(create_app(settings).test_client(), house.ledger, settings)
    assert "<summary>" not in parts_section(served)  # neither worker nor beat is there
    with house.ledger.write() as connection:
        for part in ("worker", "beat"):
            beat(connection, Heartbeat(part, "host:1", "1", now(), now(), last_dispatched_at=now()))
    section = parts_section(served)
    assert re.search(r"<summary>All \d parts are well: beat, worker, ledger, disk, broker, work</summary>", section)
    assert "0 in hand" in section
    assert "All parts are well." in served.get("/").text
