"""What tokens and a source's secret can't do at the receiver."""

from typing import Any

import pytest

from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.tables import events
from registrar.policy.access import Role
from tests.actions.test_deploy import policy as deploying
from tests.attacks.play import approve, error, live, train
from tests.auth.conftest import Make, Site
from tests.auth.test_tokens import AWAY, given
from tests.webhooks.conftest import CI, OLD, finished
from tests.worker.harness import CI as CI_ACTOR

VOTE = {"model": "taxi", "version": 1, "reason": "x"}


def commanded(site: Site, role: Role, type_: str, data: dict[str, Any]) -> int:
    """The status of a command by a new token of that role."""
    headers = given(site, f"{role}-{type_.replace('.', '-')}"[:40].replace("_", "-"), role)
    asked = {"type": type_, "data": data}
    return site.client.post("/v1/commands", json=asked, headers=headers, **AWAY).status_code


OPERATING = [
    ("promotion.request", {"model": "taxi", "version": 1, "target": "Production"}),
    ("model_version.transition", {"model": "taxi", "version": 1, "stage": "Staging"}),
]
BACK = ("model.rollback", {"model": "taxi", "reason": "x"})
RECOVERING = [
    ("task.retry", {"model": "taxi", "task_id": f"tsk_{'0' * 32}"}),
    ("task.drop", {"model": "taxi", "task_id": f"tsk_{'0' * 32}", "reason": "x"}),
    ("event.replay", {"model": "taxi", "event_id": f"evt_{'0' * 32}"}),
]


@pytest.mark.parametrize(("type_", "data"), [("promotion.approve", VOTE), BACK, *OPERATING, *RECOVERING])
def test_a_viewer_s_token_can_not_change_anything(make: Make, type_, data):
    assert commanded(make(), "viewer", type_, data) == 403


@pytest.mark.parametrize(("type_", "data"), RECOVERING)
def test_an_approver_s_token_can_not_retry_drop_or_replay(make: Make, type_, data):
    assert commanded(make(), "approver", type_, data) == 403


@pytest.mark.parametrize(("type_", "data"), OPERATING)
def test_an_approver_s_token_can_not_request_or_move(make: Make, type_, data):
    assert commanded(make(), "approver", type_, data) == 403


def test_an_approver_s_token_can_not_roll_back_where_its_name_is_in_no_approving_group(harness):
    live(harness, "r1", "r2")
    said = harness.post("model.rollback", by=Actor("token:nightly", "nightly"), model="taxi", reason="x")
    assert "nightly may not roll taxi back" in error(harness, said)
    assert harness.stages()[2] == "Production"


def test_an_operator_s_token_can_not_vote_where_its_name_is_in_no_approving_group(harness):
    train(harness)
    approve(harness, by=Actor("token:nightly", "nightly"))
    assert (harness.stages(), harness.votes()) == ({1: "Staging"}, [("token:nightly", "approve", False)])


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("training_run.finished", {"model": "taxi", "run_id": "r1"}),
        ("evaluation_run.finished", {"model": "taxi", "version": 1, "run_id": "r1"}),
        ("deployment.failed", {"model": "taxi", "version": 1, "environment": "prod"}),
        ("registry.changed", {"model": "taxi", "change": "registered_model.created"}),
    ],
)
def test_an_operator_s_token_can_not_state_a_fact(make: Make, type_, data):
    site = make()
    assert commanded(site, "operator", type_, data) in (403, 422)
    with site.ledger.read() as connection:
        assert connection.execute(events.select()).all() == []


def test_an_operator_s_token_can_not_have_one_count_out_of_its_time_by_a_replay(harness):
    """A deployment that failed before the present one was asked for."""
    harness.policy(deploying())
    live(harness, "r1")
    train(harness, "r2")
    first = harness.post("deployment.failed", by=CI_ACTOR, model="taxi", version=2, environment="prod")
    approve(harness, 2)
    asked = Event(parse("event.replay", {"event_id": first, "model": "taxi"}), Actor("token:nightly", "n"), now())
    with harness.ledger.write() as connection:
        accept(connection, Delivery("web", "token:nightly/1", "0" * 64), [asked], at=harness.now())
    harness.work()
    assert harness.stages() == {1: "Archived", 2: "Production"}


def test_a_source_s_secret_can_not_send_what_its_source_is_not_granted(receiver):
    for content in (
        {"type": "promotion.approve", "data": {"model": "nyc-taxi-regressor", "version": 1}},
        finished(model="fraud"),
    ):
        assert receiver.send(content).status_code == 403
    assert receiver.events() == []


def test_a_source_s_secret_can_not_have_a_delivery_done_twice(receiver):
    for secret in (CI, CI, OLD):
        assert receiver.send(finished(), id="msg_1", secret=secret).status_code in (200, 202)
    assert receiver.send(finished(run_id="other"), id="msg_1").status_code == 409
    assert len(receiver.events()) == 1


def test_a_source_s_secret_can_not_speak_as_a_person(granted):
    granted.send({"type": "promotion.approve", "data": {"model": "taxi", "version": 1}})
    [event] = granted.events()
    assert (event.source, event.actor) == ("ci", "source:ci")


def test_a_source_s_secret_can_not_send_as_another_source(receiver):
    body = b'{"type": "promotion.approve"}'
    assert receiver.slack(body, secret=CI).status_code == 401
    assert receiver.events() == []
