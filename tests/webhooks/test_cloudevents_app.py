"""CloudEvents through the whole receiver: the handshake over HTTP, and a batch as one delivery."""

import json
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.policy.load import parse
from registrar.settings import Settings
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
