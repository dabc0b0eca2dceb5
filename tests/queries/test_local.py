"""Pages are whole however much comes in between, filters find what they say, and what is no cursor is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from registrar.ledger import Ledger
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged
from registrar.ledger.queries.find import find_record
from registrar.ledger.votes import VoteCast
from registrar.queries.cursor import encode
from registrar.queries.filters import EVENT_STATES, EventFilter
from registrar.queries.local import LocalQueries
from registrar.queries.model_record import read_model
from registrar.queries.query_service import BadQuestion, Unknown, up_to
from tests.ledger.chain import EVIDENCE, NOON
from tests.queries.conftest import Town, promoted

pytestmark = pytest.mark.both_ledgers


def ids(rows) -> list[str]:
    return [row["id"] for row in rows]


def test_pages_lead_through_all_events_whatever_is_accepted_meanwhile(town: Town, local: LocalQueries):
    accepted = [town.event() for _ in range(7)]
    first = local.events(EventFilter(), limit=3)
    town.event()
    second = local.events(EventFilter(), limit=3, cursor=first.next)
    last = local.events(EventFilter(), limit=3, cursor=second.next)
    assert ids([*first.rows, *second.rows, *last.rows]) == accepted[::-1]
    assert last.next is None
    assert len(up_to(1000, lambda limit, cursor: local.events(EventFilter(), limit=2, cursor=cursor))) == 8


def test_each_filter_finds_what_it_says(town: Town, local: LocalQueries):
    mine = town.event(by="ada", source="slack", model="bus")
    other = town.event("promotion.cancel", by="bob", version=1)
    for sought in (
        EventFilter(source="slack"),
        EventFilter(actor="ada"),
        EventFilter(model="bus"),
        EventFilter(type="training_run.failed"),
    ):
        assert ids(local.events(sought).rows) == [mine]
    assert ids(local.events(EventFilter(model="taxi", actor="bob", source="ci")).rows) == [other]
    assert local.events(EventFilter(model="taxi", actor="ada")).rows == []


@pytest.mark.parametrize("state", EVENT_STATES)
def test_events_are_found_by_what_became_of_them(town: Town, local: LocalQueries, state: str):
    made = {each: town.event(state=None if each == "unfinished" else each) for each in reversed(EVENT_STATES)}
    found = local.events(EventFilter(state=state)).rows
    assert (ids(found), [row["state"] for row in found]) == ([made[state]], [state])
    assert local.event(made[state])["state"] == state


def test_events_are_found_by_when_they_were_accepted(town: Town, local: LocalQueries):
    hours = [town.event(at=NOON + timedelta(hours=hour)) for hour in range(9)]
    back = town.event(at=NOON + timedelta(hours=7, minutes=30))  # a clock was put back
    found = local.events(EventFilter(since=NOON + timedelta(hours=2), until=NOON + timedelta(hours=4)))
    assert ids(found.rows) == [hours[3], hours[2]]
    assert ids(local.events(EventFilter(since=NOON + timedelta(hours=7, minutes=30))).rows) == [back, hours[8]]
    assert local.events(EventFilter(since=NOON + timedelta(days=9))).rows == []
    assert len(local.events(EventFilter(until=NOON + timedelta(days=9))).rows) == 10


def test_a_promotion_says_what_it_lacks_and_who_may_still_vote(town: Town, local: LocalQueries):
    done, waits = promoted(town)
    assert ids(local.promotions().rows) == [waits, done]
    assert ids(local.promotions(state="open").rows) == ids(local.promotions(model="taxi", limit=1).rows) == [waits]
    voting = local.promotion(waits)["voting"]
    assert voting["lacks"] == "1 more of leads, 1 more of risk"
    leads, risk = voting["rules"]
    # Ada may; Bob may, and his delegate Cyd asked for it. Eve trained it, so of risk the source alone is left.
    assert [voter["id"] for voter in leads["may"]] == ["ada", "bob"]
    assert [voter["id"] for voter in risk["may"]] == ["source:ci"]
    assert [(each["id"], each["why"]) for each in voting["excluded"]] == [
        ("cyd", "asked for taxi version 2 to Production"),
        ("eve", "trained taxi version 2"),
    ]
    assert "cyd" in [voter["id"] for voter in voting["may_reject"]]


def test_a_vote_that_counted_is_no_more_asked_for(town: Town, local: LocalQueries):
    _, waits = promoted(town)
    vote = town.event("promotion.approve", by="ada", source="slack", version=2)
    town.write(vote, VoteCast(waits, "approve", True, "good"))
    found = local.promotion(waits)
    assert (found["voting"]["lacks"], found["voting"]["rules"][0]["may"]) == (
        "1 more of risk",
        [{"id": "bob", "name": "Bob"}],
    )
    assert [(vote["actor_name"], vote["why"]) for vote in found["votes"]] == [("Ada", "good")]


def test_what_has_ended_asks_nobody(town: Town, local: LocalQueries):
    done, _ = promoted(town)
    found = local.promotion(done)
    assert (found["state"], found["voting"], found["evidence"]["gates"][0]["passed"]) == ("promoted", None, True)


def test_models_are_told_with_what_holds_what(town: Town, local: LocalQueries):
    promoted(town)
    for name in ("bus", "tram", "boat"):
        town.event("training_run.finished", model=name, run_id="r1")
    town.event(model="taxy")  # a training that failed: a name that nobody may ever have registered
    first = local.models(limit=2)
    assert [row["model"] for row in first.rows] == ["boat", "bus"]
    [taxi, tram] = local.models(limit=2, cursor=first.next).rows
    assert (tram["model"], tram["holders"], taxi["open_promotions"]) == ("tram", [], 1)
    assert taxi["holders"] == [{"kind": "stage", "key": "Production", "version": 1, "since": NOON}]
    assert local.model("taxi")["policy"]["targets"] == ["Production"]


def test_dead_letters_and_refusals_have_pages_too(town: Town, local: LocalQueries):
    dead = [town.event(state="dead") for _ in range(3)]
    for source in ("ci", "ci", "slack"):
        town.refusal(source)
    one = local.dead(limit=2)
    assert [row["event_id"] for row in (*one.rows, *local.dead(limit=2, cursor=one.next).rows)] == dead[::-1]
    some = local.rejections(limit=1)
    rest = local.rejections(limit=5, cursor=some.next)
    assert ([row["source"] for row in rest.rows], rest.next) == (["ci", "ci"], None)
    assert len(local.rejections(source="slack").rows) == 1


def test_the_overview_counts_what_waits(town: Town, local: LocalQueries):
    promoted(town)
    town.event(state="failed")
    town.event(state=None)
    found = local.overview()
    assert (found["unfinished"], found["dead"]) == ({"ci": 1}, 1)
    assert found["promotions"] == {"waiting": 0, "awaiting_approval": 1, "approved": 0}
    assert found["oldest"] == NOON.replace(minute=town.count)


def test_the_policy_says_nothing_of_where_secrets_are(local: LocalQueries):
    found = local.policy(model="taxi")
    assert "env:CI" not in str(found)
    assert (found["document"]["sources"]["ci"]["kind"], len(found["digest"])) == ("standard", 64)
    assert (found["model"]["entry"], len(found["model"]["digest"])) == ("taxi", 64)


def test_a_history_has_pages_whatever_happens_meanwhile_and_each_takes_as_many_queries(town: Town, local: LocalQueries):
    done = town.event()
    for version in range(1, 8):
        moved = PromotionRequested("taxi", version, "Production", EVIDENCE)
        town.write(
            done, moved, VoteCast(moved.id, "approve", True, "good"), PromotionStateChanged(moved.id, "promoted")
        )
        town.write(done, HoldingStarted("taxi", "stage", "Production", version, alone=True, promotion=moved.id))
    seen, cursor, asked = [], None, set()
    while not seen or cursor:
        with queries(town.ledger) as statements:
            page = local.history("taxi", limit=3, cursor=cursor)
        town.write(done, HoldingStarted("taxi", "alias", f"later-{len(seen)}", 1))
        seen += [(row["key"], row["version"], len(row["approvals"])) for row in page.rows]
        asked.add(len(statements))
        cursor = page.next
    assert seen == [("Production", version, 1) for version in range(7, 0, -1)]
    assert asked == {2}  # the holdings with their promotions, and the votes on those


@contextmanager
def queries(ledger: Ledger) -> Iterator[list[str]]:
    found: list[str] = []

    def listen(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            found.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", listen)
    yield found
    event.remove(ledger.engine, "before_cursor_execute", listen)


def test_the_journal_is_gone_on_with_after_an_entry(town: Town, local: LocalQueries):
    promoted(town)
    whole = list(local.audit())
    assert len(whole) > 3
    assert list(local.audit(after=whole[1]["seq"])) == whole[2:]
    assert list(local.audit(model="bus")) == []


OTHERS = [encode("dead", NOON, 1), encode("events", "1"), encode("events", -1), encode("events", 2**70)]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_with_a_time_that_no_ledger_can_hold_is_none(local: LocalQueries, time: str):
    for kind, page, rest in (("promotions", local.promotions, "prm_1"), ("dead", local.dead, 1)):
        with pytest.raises(BadQuestion, match="cursor must be `next`"):
            page(cursor=encode(kind, time, rest))


@pytest.mark.parametrize("cursor", ["x", "%", "é", "A" * 5000, *OTHERS])
def test_what_is_no_cursor_of_that_list_is_said(local: LocalQueries, cursor: str):
    with pytest.raises(BadQuestion, match="cursor must be `next`"):
        local.events(EventFilter(), cursor=cursor)


@pytest.mark.parametrize("model", ["taxi\u00a0fares", "タクシー\u3000料金"])
def test_a_name_with_blanks_beyond_ascii_is_found_as_it_was_accepted(town: Town, local: LocalQueries, model: str):
    mine, _ = (town.event("training_run.finished", model=name, run_id="r1") for name in (model, "\U0001f695"))
    first = local.models(limit=1)
    rest = local.models(cursor=first.next)
    assert [row["model"] for row in (*first.rows, *rest.rows)] == [model, "\U0001f695"]
    assert local.model(model)["model"] == model
    assert ids(local.events(EventFilter(model=model)).rows) == [mine]
    assert local.history(model).rows == []
    with local.ledger.read() as connection:
        assert find_record(connection, model) == ("model", model)
        assert read_model(connection, local.policies(), model, at=NOON)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "x" * 400])
def test_what_no_database_takes_is_not_asked(local: LocalQueries, text: str):
    for ask in (local.event, local.promotion, local.model, local.dead_one):
        with pytest.raises(Unknown):
            ask(text)
    for question in (lambda: local.events(EventFilter(model=text)), lambda: local.promotions(model=text)):
        with pytest.raises(BadQuestion):
            question()
    for question in (lambda: local.history(text), lambda: local.policy(model=text), lambda: local.audit(model=text)):
        with pytest.raises(BadQuestion):
            question()


def test_a_state_that_is_none_is_said(local: LocalQueries):
    with pytest.raises(BadQuestion, match="awaiting_approval"):
        local.promotions(state="done")
