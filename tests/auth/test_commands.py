"""What people do on the pages and programs by the API is an event like any other."""

from typing import Any

import pytest
from sqlalchemy import select

from registrar.events.event import Actor
from registrar.ledger.capacity import NoCapacity
from registrar.ledger.deliveries import DeliveryConflict
from registrar.ledger.tables import events, tasks
from tests.auth.conftest import POLICY, Make, Site
from webhooks.auth import Principal
from webhooks.ingress import command_submission as module
from webhooks.ingress.errors import InvalidEvent, NotPermitted, TooMany

APPROVE = {"model": "taxi", "version": 3, "reason": "looks good"}
BACK = {"model": "taxi", "reason": "it is slow"}
ADA = Principal(Actor("ada", "Ada"), "approver", "session")
BOB = Principal(Actor("bob", "Bob"), "operator", "session")
EVE = Principal(Actor("web:eve@example.com", "Eve"), "viewer", "proxy")


def rows(site: Site, table: Any) -> list[Any]:
    with site.ledger.read() as connection:
        return list(connection.execute(select(table)))


def test_it_is_on_disk_as_an_event_of_whoever_asked(make: Make):
    site = make(public_url="https://registrar.example.com/")
    done = site.commands.submit(ADA, "promotion.approve", APPROVE)
    [event], [task] = rows(site, events), rows(site, tasks)
    assert (done.event_ids, done.seen_before) == ((event.id,), False)
    assert done.status_urls == (f"https://registrar.example.com/v1/events/{event.id}",)
    assert (event.source, event.type, event.actor, event.actor_name) == ("web", "promotion.approve", "ada", "Ada")
    assert event.delivery_id.startswith("session/ada/")
    assert (event.data["version"], event.data["reason"]) == (3, "looks good")
    assert (task.name, task.state, task.lane) == ("worker.vote", "queued", "model:taxi")
    counted = site.app.extensions["metrics"].text().decode()
    assert 'webhook_events_total{source="web",type="promotion.approve"} 1.0' in counted


def test_the_same_key_is_the_same_command(make: Make):
    site = make()
    first = site.commands.submit(ADA, "promotion.approve", APPROVE, key="k-1")
    again = site.commands.submit(ADA, "promotion.approve", APPROVE, key="k-1")
    assert (again.event_ids, again.seen_before, len(rows(site, events))) == (first.event_ids, True, 1)
    with pytest.raises(DeliveryConflict):
        site.commands.submit(ADA, "promotion.reject", APPROVE, key="k-1")
    other = site.commands.submit(BOB, "promotion.approve", APPROVE, key="k-1")
    assert (other.seen_before, len(rows(site, events))) == (False, 2)


def test_without_a_key_each_is_a_new_one(make: Make):
    site = make()
    assert not site.commands.submit(ADA, "promotion.approve", APPROVE).seen_before
    assert not site.commands.submit(ADA, "promotion.approve", APPROVE).seen_before


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 101, "a\nb"])
def test_a_key_that_is_none(make: Make, key: str):
    with pytest.raises(InvalidEvent, match="Idempotency-Key"):
        make().commands.submit(ADA, "promotion.approve", APPROVE, key=key)


@pytest.mark.parametrize(
    ("principal", "type_", "data"),
    [
        (EVE, "promotion.approve", APPROVE),
        (EVE, "promotion.cancel", APPROVE),
        (ADA, "promotion.request", {"model": "taxi", "version": 3, "target": "Production"}),
        (ADA, "model.rollback", {**BACK, "target": "Staging"}),
        (ADA, "model.rollback", {**BACK, "model": "of-no-policy"}),
        (ADA, "task.retry", {"task_id": "tsk_" + "0" * 32}),
        (ADA, "event.replay", {"event_id": "evt_" + "0" * 32}),
    ],
)
def test_what_takes_more_than_the_role(make: Make, principal: Principal, type_: str, data: dict[str, Any]):
    site = make()
    with pytest.raises(NotPermitted, match=f"is signed in as {principal.role}, and {type_} needs"):
        site.commands.submit(principal, type_, data)
    assert rows(site, events) == []


def test_who_may_approve_may_ask_to_go_back(make: Make):
    assert make().commands.submit(ADA, "model.rollback", BACK).event_ids


@pytest.mark.parametrize("type_", ["training_run.finished", "deployment.succeeded", "model.review"])
def test_a_fact_is_told_by_its_sender_alone(make: Make, type_: str):
    with pytest.raises(InvalidEvent, match="is no command"):
        make().commands.submit(BOB, type_, {"model": "taxi", "run_id": "r1"})


@pytest.mark.parametrize(
    ("type_", "data"),
    [("promotion.aprove", {}), ("promotion.approve", {}), ("promotion.approve", {**APPROVE, "actor": "bob"})],
)
def test_what_is_not_valid_is_refused_with_the_fields(make: Make, type_: str, data: dict[str, Any]):
    with pytest.raises(InvalidEvent) as refused:
        make().commands.submit(ADA, type_, data)
    assert refused.value.errors


def test_what_people_decide_has_room_when_the_rest_has_not(make: Make):
    site = make(policy=f"{POLICY}max_unfinished: 10\n")
    for _ in range(10):
        site.commands.submit(BOB, "experiment.create", {"name": "e"})
    with pytest.raises(NoCapacity):
        site.commands.submit(BOB, "experiment.create", {"name": "e"})
    assert site.commands.submit(ADA, "promotion.approve", APPROVE).event_ids


@pytest.mark.usefixtures("within_one_minute")
def test_nobody_may_ask_without_end(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PACE", "2/minute")
    site = make()
    for _ in range(2):
        site.commands.submit(ADA, "promotion.approve", APPROVE)
    with pytest.raises(TooMany):
        site.commands.submit(ADA, "promotion.approve", APPROVE)
    assert site.commands.submit(BOB, "promotion.approve", APPROVE)


def test_no_source_may_take_the_name(make: Make):
    with pytest.raises(ValueError, match=r"sources\.web: 'web' is what its own pages and API are called"):
        make(policy=POLICY.replace("  operator:", "  web:"))


def test_every_type_is_a_command_or_a_fact_and_the_commands_exist():
    assert set(module.VOCABULARY) >= module.COMMANDS
