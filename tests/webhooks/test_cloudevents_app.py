"""CloudEvents through the whole receiver: the handshake over HTTP, and what becomes of a batch."""

import json
from pathlib import Path

import pytest

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.policy.load import parse
from tests.webhooks.conftest import REGISTRAR_YML, Receiver, environ
from webhooks.app import create_app

TOKEN = "a-bearer-token-of-some-length"
SOURCE = """
sources:
  cloud:
    kind: cloudevents
    secrets: [env:CLOUD]
    options: {origins: [eventing.example.com]}
    may: [{events: ["training_run.*"], models: ["nyc-*"]}]
"""
BATCH = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cloudevents-batch+json"}
ASKED = {"WebHook-Request-Origin": "eventing.example.com", "WebHook-Request-Callback": "http://127.0.0.1:1/consent"}


@pytest.fixture
def receiver(ledger: Ledger, tmp_path: Path) -> Receiver:
    settings = Settings.read({**environ(tmp_path), "CLOUD": TOKEN})
    policy = parse(REGISTRAR_YML.replace("\nsources:\n", SOURCE))
    return Receiver(create_app(settings, policy=policy).test_client(), ledger, settings)


def cloud(id: str, **data: str) -> dict[str, object]:
    said = {"model": "nyc-taxi-regressor", "run_id": id, **data}
    return {"specversion": "1.0", "type": "training_run.finished", "source": "/train", "id": id, "data": said}


def test_a_batch_is_one_commit_and_sent_again_the_same(receiver: Receiver):
    body = json.dumps([cloud("a"), cloud("b")]).encode()
    first, again = (receiver.post(body, BATCH, to="cloud") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json == again.json
    assert [row.data["run_id"] for row in receiver.events()] == ["a", "b"]


def test_an_event_is_one_however_it_was_sent_before(receiver: Receiver):
    """A broker that is not answered in time sends what it has in other batches, or alone."""
    alone = {**BATCH, "Content-Type": "application/cloudevents+json"}
    first = receiver.post(json.dumps([cloud("a"), cloud("b")]).encode(), BATCH, to="cloud")
    again = receiver.post(json.dumps(cloud("b")).encode(), alone, to="cloud")
    more = receiver.post(json.dumps([cloud("b"), cloud("c"), cloud("c")]).encode(), BATCH, to="cloud")
    assert [answer.status_code for answer in (first, again, more)] == [202, 200, 202]
    said, repeated, added = (answer.get_json()["events"] for answer in (first, again, more))
    assert repeated == said[1:] == added[:1]
    assert [row.data["run_id"] for row in receiver.events()] == ["a", "b", "c"]


def test_somebody_elses_events_are_passed_over_in_every_form(receiver: Receiver):
    token = {"Authorization": BATCH["Authorization"]}
    foreign = {**cloud("x"), "type": "com.example.order.created", "data_base64": "AAEC", "partitionkey": "7"}
    mixed = receiver.post(json.dumps([foreign, cloud("a"), foreign]).encode(), BATCH, to="cloud")
    assert (mixed.status_code, len(receiver.events())) == (202, 1)
    named = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "com.example.order.created"}
    sent = [
        (b"[]", BATCH),
        (json.dumps([foreign]).encode(), BATCH),
        (json.dumps(foreign).encode(), {**token, "Content-Type": "application/cloudevents+json; charset=utf-8"}),
        (b"\x00\x01", {**token, **named, "Content-Type": "application/avro"}),
        (b"<order/>", {**token, **named, "Content-Type": "text/xml"}),
        (b"", {**token, **named}),
        (b"\x0a\x01", {**token, "Content-Type": "application/cloudevents+protobuf"}),
    ]
    for body, headers in sent:
        answer = receiver.post(body, headers, to="cloud")
        assert (answer.status_code, "ignored" in (answer.json or {})) == (200, True), answer.text
    assert len(receiver.events()) == 1
    assert receiver.rejections() == []


def test_nobody_is_told_what_would_be_ignored_without_the_token(receiver: Receiver):
    assert receiver.post(b"x", {"Content-Type": "text/plain"}, to="cloud").status_code == 401
    token = {"Authorization": BATCH["Authorization"], "Content-Type": "text/plain"}
    assert receiver.post(b"x", token, to="cloud").status_code == 415


def test_one_bad_event_refuses_the_whole_batch(receiver: Receiver):
    for bad in (cloud("b", modle="x"), cloud("b", model="other-model")):
        answer = receiver.post(json.dumps([cloud("a"), bad]).encode(), BATCH, to="cloud")
        assert answer.status_code in (403, 422)
    assert receiver.events() == []
    assert sorted(receiver.rejections()) == [("cloud", 403, "not_permitted"), ("cloud", 422, "invalid_event")]


def test_an_event_sent_again_in_another_writing_is_the_same_event(receiver: Receiver):
    headers = {**BATCH, "Content-Type": "application/cloudevents+json"}
    first = receiver.post(json.dumps(cloud("a")).encode(), headers, to="cloud")
    again = receiver.post(json.dumps(cloud("a"), indent=2).encode(), headers, to="cloud")
    assert (first.status_code, again.status_code) == (202, 200)
    assert len(receiver.events()) == 1


def test_an_id_that_is_used_for_another_event_is_a_conflict(receiver: Receiver):
    headers = {**BATCH, "Content-Type": "application/cloudevents+json"}
    receiver.post(json.dumps(cloud("a")).encode(), headers, to="cloud")
    assert receiver.post(json.dumps(cloud("a", commit="c0ffee")).encode(), headers, to="cloud").status_code == 409


def test_what_stands_in_a_batch_beside_a_conflict_is_accepted_once(receiver: Receiver):
    alone = {**BATCH, "Content-Type": "application/cloudevents+json"}
    receiver.post(json.dumps(cloud("a")).encode(), alone, to="cloud")
    batch = json.dumps([cloud("a", commit="c0ffee"), cloud("b")]).encode()
    assert [receiver.post(batch, BATCH, to="cloud").status_code for _ in range(2)] == [409, 409]
    assert receiver.post(json.dumps(cloud("b")).encode(), alone, to="cloud").status_code == 200
    assert [row.data["run_id"] for row in receiver.events()] == ["a", "b"]


def test_the_handshake_is_answered_and_nobody_is_called(receiver: Receiver):
    answer = receiver.client.options("/webhooks/cloud", headers=ASKED)
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventing.example.com"
    assert answer.headers["WebHook-Allowed-Rate"] == "6000"
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert receiver.tasks() == []


def test_options_of_another_kind_or_nobody_is_refused(receiver: Receiver):
    answer = receiver.client.options("/webhooks/ci", headers=ASKED)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert receiver.client.options("/webhooks/nobody", headers=ASKED).status_code == 404
    evil = {"WebHook-Request-Origin": "evil.example.com"}
    assert receiver.client.options("/webhooks/cloud", headers=evil).status_code == 403


def test_a_handshake_that_never_ends_is_429(receiver: Receiver):
    found = {receiver.client.options("/webhooks/cloud", headers=ASKED).status_code for _ in range(70)}
    assert found == {200, 429}
