"""Work that failed for good may stay undone: then it is no open trouble any more, and the record says who said so."""

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from registrar.ledger import dead, status
from registrar.ledger.tables import journal
from tests.worker.office import ADA, Office


def failed(office: Office) -> str:
    """A registration of a run that nobody trained."""
    return office.post("training_run.finished", model="taxi", run_id="r1")


def letters(office: Office) -> list[dead.Letter]:
    with office.ledger.read() as connection:
        return dead.letters(connection)


def drop(office: Office, task_id: str, **more: str) -> str:
    return office.post("task.drop", by=ADA, task_id=task_id, **{"model": "taxi", "reason": "a typo", **more})


def shown(office: Office, event: str) -> dict:
    with office.ledger.read() as connection:
        return status.event(connection, event) or {}


@pytest.mark.both_ledgers
def test_what_is_dropped_is_open_trouble_no_more_and_says_who_dropped_it(office):
    event = failed(office)
    [letter] = letters(office)
    assert letter.state == "failed"
    asked = drop(office, letter.id)
    assert letters(office) == []
    now = shown(office, event)
    assert (now["state"], now["tasks"][0]["state"]) == ("dropped", "dropped")
    assert now["tasks"][0]["error"] == "reading run r1: no such run"
    [settled] = now["tasks"][0]["settled"]
    assert (settled["type"], settled["event_id"], settled["actor_name"]) == ("task.drop", asked, "Ada")
    assert (settled["reason"], settled["was"]["state"]) == ("a typo", "failed")
    text = "register for training_run.finished about taxi by ci was dropped, by Ada: a typo"
    assert office.fact("task.dropped") == text
    with office.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "task.dropped")).all()
    assert (entry.event_id, entry.actor) == (asked, "ada")


@pytest.mark.parametrize("again", ["task.retry", "task.drop"])
def test_what_was_dropped_is_neither_tried_nor_dropped_again(office, again):
    event = failed(office)
    [letter] = letters(office)
    drop(office, letter.id)
    asked = office.post(again, by=ADA, task_id=letter.id, model="taxi", reason="sorry")
    error = shown(office, asked)["tasks"][0]["error"]
    assert error == f"{letter.id} was dropped; to do it nevertheless: registrar replay {event}"


@pytest.mark.both_ledgers
def test_what_is_about_no_model_is_named_without_one(office):
    office.post("artifacts.fetch", run_id="r1")
    [letter] = letters(office)
    assert letter.model is None
    with_a_model = drop(office, letter.id)
    assert "there is no task" in shown(office, with_a_model)["tasks"][0]["error"]
    office.post("task.drop", by=ADA, task_id=letter.id, reason="gone")
    assert letters(office) == []


@pytest.mark.parametrize("reason", [{}, {"reason": ""}])
def test_a_drop_without_a_reason_is_none(office, reason):
    with pytest.raises(ValidationError, match="reason"):
        office.post("task.drop", task_id=f"tsk_{'0' * 32}", **reason)
