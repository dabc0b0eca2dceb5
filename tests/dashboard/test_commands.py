"""What people do on the pages becomes events, by their forms alone, and within their role."""

import re

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registrar.config.settings import Settings
from registrar.events.outcome import Outcome
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.tables import events
from tests.dashboard.conftest import AT_HOME, House, Lived
from webhooks.app import create_app


def form(house: House, page: str, action: str, **given: str) -> dict[str, str]:
    """What a browser would send of the form that goes there, or that has a button which does."""
    forms = re.findall(r"<form.*?</form>", house.get(page).text, re.DOTALL)
    found = next((one for one in forms if f'action="{action}"' in one), "")
    assert found, f"{page} has no form for {action}"
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found)
    return {**dict(hidden), **given}


def sent(house: House, answer: TestResponse) -> tuple[str, str, str, dict[str, object]]:
    """The event that a form became: type, source, actor, data."""
    assert answer.status_code == 303, answer.text
    event_id = answer.headers["Location"].rpartition("sent=")[2]
    with house.ledger.read() as connection:
        row = connection.execute(select(events).where(events.c.id == event_id)).one()
    return row.type, row.source, row.actor, row.data


def test_approving_is_a_vote_pinned_to_what_is_shown(lived: Lived):
    page = f"/promotions/{lived.promotion}"
    answer = lived.house.post(f"{page}/approve", form(lived.house, page, f"{page}/approve", reason="fine"))
    type_, source, actor, data = sent(lived.house, answer)
    assert (type_, source, actor) == ("promotion.approve", "web", "ada")
    assert (data["promotion"], data["version"], data["reason"]) == (lived.promotion, 2, "fine")
    assert "Accepted and stored" in lived.house.get(answer.headers["Location"]).text


def test_a_form_that_is_sent_twice_is_one_command(lived: Lived):
    page = f"/promotions/{lived.promotion}"
    filled = form(lived.house, page, f"{page}/approve")
    first, second = (lived.house.post(f"{page}/approve", filled) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]


def test_rejecting_and_cancelling_have_forms_of_their_own(lived: Lived):
    page = f"/promotions/{lived.promotion}"
    for verdict in ("reject", "cancel"):
        answer = lived.house.post(f"{page}/{verdict}", form(lived.house, page, f"{page}/{verdict}", reason="no"))
        assert sent(lived.house, answer)[0] == f"promotion.{verdict}"


def test_a_dead_letter_is_tried_again_or_dropped_with_a_reason(lived: Lived):
    page = f"/dead/{lived.task}"
    answer = lived.house.post(f"{page}/retry", form(lived.house, page, f"{page}/retry"))
    assert sent(lived.house, answer)[3] == {"task_id": lived.task, "model": "<b>bold", "reason": None}
    without = lived.house.post(f"{page}/drop", form(lived.house, page, f"{page}/drop"))
    assert (without.status_code, without.mimetype) == (422, "text/html")
    answer = lived.house.post(f"{page}/drop", form(lived.house, page, f"{page}/drop", reason="too late"))
    assert sent(lived.house, answer)[0] == "task.drop"


def test_an_event_is_replayed(lived: Lived):
    page = f"/events/{lived.event}"
    answer = lived.house.post(f"{page}/replay", form(lived.house, page, f"{page}/replay"))
    type_, _, _, data = sent(lived.house, answer)
    assert (type_, data["event_id"], data["model"]) == ("event.replay", lived.event, "taxi")


def test_a_plan_comes_first_and_is_no_replay(lived: Lived):
    page = f"/events/{lived.event}"
    filled = form(lived.house, page, f"{page}/replay")
    plan = lived.house.post(f"{page}/replay", {**filled, "plan": "yes"})
    assert sent(lived.house, plan)[3]["plan"] is True
    replay = lived.house.post(f"{page}/replay", filled)  # of the same form, by the other button
    assert sent(lived.house, replay)[3]["plan"] is False
    assert plan.headers["Location"] != replay.headers["Location"]


@pytest.mark.parametrize("without", ["csrf", "origin"])
def test_what_another_sites_page_sends_does_nothing(lived: Lived, without: str):
    page = f"/promotions/{lived.promotion}"
    filled = form(lived.house, page, f"{page}/approve")
    headers = {"Origin": "https://evil.example"} if without == "origin" else {}
    if without == "csrf":
        filled.pop("csrf")
    answer = lived.house.post(f"{page}/approve", filled, headers=headers)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")


def test_who_may_only_look_has_no_forms_and_is_refused(lived: Lived):
    settings = lived.house.settings
    viewer = Settings(**{**vars(settings), "local_operator": None})
    house = House(create_app(viewer).test_client(), lived.house.ledger, viewer)
    for page in (f"/promotions/{lived.promotion}", f"/dead/{lived.task}", f"/events/{lived.event}"):
        assert 'method="post"' not in house.get(page).text
    answer = house.client.post(f"/promotions/{lived.promotion}/approve", **AT_HOME)
    assert answer.status_code == 403


@pytest.mark.parametrize(("to", "meant"), [("", None), ("1", 1)])
def test_rolling_back_is_an_event_that_may_name_an_earlier_holder(lived: Lived, to: str, meant: int | None):
    held = HoldingStarted("taxi", "stage", "Production", 2, alone=True)
    lived.house.happened("training_run.finished", {"model": "taxi", "run_id": "r2"}, Outcome("moved", records=(held,)))
    page = "/models/taxi/rollback"
    filled = form(lived.house, f"{page}?target=Production&to={to}", page, reason="wrong fares")
    type_, source, actor, data = sent(lived.house, lived.house.post(page, filled))
    assert (type_, source, actor) == ("model.rollback", "web", "ada")
    assert data == {"model": "taxi", "target": "Production", "to": meant, "reason": "wrong fares"}


def test_where_nothing_was_before_there_is_nothing_to_roll_back_to(lived: Lived):
    assert "Roll back" not in lived.house.get("/models/taxi").text
