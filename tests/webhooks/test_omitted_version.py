"""A person's command without a version, through the receiver: what is on disk names one, and a repetition the same."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from registrar.events.event import Actor
from registrar.http import signing
from registrar.ledger import Ledger, LedgerUnavailable, tokens
from registrar.ledger.engine import now
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged
from registrar.ledger.tables import events
from registrar.ledger.tokens import Token
from tests.ledger.chain import EVIDENCE, scene
from tests.webhooks.conftest import SLACK, Receiver, finished
from tests.webhooks.serving import Server, serving
from tests.webhooks.test_slack_app import WHO

MODEL, TOKEN = "nyc-taxi-regressor", "rgt_" + "x" * 43


class Opened:
    """Promotions of a model that CI has told of."""

    def __init__(self, ledger: Ledger, deliver: Any) -> None:
        deliver()
        self._scene = scene(ledger)

    def opened(self, version: int, target: str = "Production") -> str:
        record = PromotionRequested(MODEL, version, target, EVIDENCE)
        self._scene.write(record)
        return record.id

    def ended(self, id_: str) -> None:
        self._scene.write(PromotionStateChanged(id_, "cancelled"))


def act(receiver: Receiver, type_: str, key: str | None = None, **data: Any) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Idempotency-Key": key} if key else {})
    return receiver.client.post("/v1/commands", json={"type": type_, "data": {"model": MODEL, **data}}, headers=headers)


@pytest.fixture
def record(receiver: Receiver) -> Opened:
    with receiver.ledger.write() as connection:
        tokens.create(connection, Token("bot", tokens.digest(TOKEN), "operator", None, now()), Actor("ada", "Ada"))
    return Opened(receiver.ledger, lambda: receiver.send(finished()))


def test_what_is_on_disk_names_the_version_and_the_promotion(receiver: Receiver, record: Opened):
    id_ = record.opened(3, "Staging")
    answer = act(receiver, "promotion.approve", reason="fine")
    assert answer.status_code == 202, answer.json
    data = receiver.events()[-1].data
    assert (data["version"], data["target"], data["promotion"], data["reason"]) == (3, "Staging", id_, "fine")


def test_the_same_key_means_what_it_meant_whatever_happened_since(receiver: Receiver, record: Opened):
    id_ = record.opened(3)
    first = act(receiver, "promotion.approve", "k-1")
    count = len(receiver.events())
    record.ended(id_)
    again = act(receiver, "promotion.approve", "k-1")
    assert (first.status_code, again.status_code, again.json) == (202, 200, first.json)
    assert act(receiver, "promotion.approve", "k-2").status_code == 422
    assert act(receiver, "promotion.reject", "k-1").status_code == 409
    assert act(receiver, "promotion.approve", "k-1", version=3).status_code == 409
    assert len(receiver.events()) == count + 1  # the one by which the promotion ended


def test_where_it_is_in_doubt_the_answer_lists_what_may_be_meant(receiver: Receiver, record: Opened):
    record.opened(3)
    record.opened(4)
    answer = act(receiver, "promotion.approve")
    assert (answer.status_code, answer.json["code"]) == (422, "version_in_doubt")
    assert "version 3 to Production, version 4 to Production" in answer.json["detail"]
    [error] = answer.json["errors"]
    assert error["field"] == "data.version"
    assert [event.type for event in receiver.events()].count("promotion.approve") == 0


def test_other_mistakes_are_told_before_the_record_is_asked(receiver: Receiver, record: Opened):
    answer = act(receiver, "promotion.approve", wrong=1, target="Nowhere")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_event")
    assert {each["field"] for each in answer.json["errors"]} == {"data.wrong", "data.target"}


def test_a_source_that_signs_names_its_version(receiver: Receiver, record: Opened):
    record.opened(3)
    content = {"type": "model_version.describe", "data": {"model": MODEL, "tags": {"a": "b"}}}
    answer = receiver.send(content)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "data.version")


def test_a_ledger_that_can_not_be_read_is_a_503(receiver: Receiver, record: Opened, monkeypatch: pytest.MonkeyPatch):
    record.opened(3)

    def away(self: Ledger) -> None:
        raise LedgerUnavailable("it is away", "is away")

    monkeypatch.setattr(Ledger, "read", away)
    said = slack(receiver.client.post, "/webhooks/slack", f"approve {MODEL}", "1.2.z")
    assert said.status_code == 200
    assert "Nothing was done; try again in a minute" in said.json["text"]


def slack(post: Any, url: str, text: str, trigger: str) -> Any:
    body = urlencode({**WHO, "text": text, "trigger_id": trigger}).encode()
    headers = signing.slack(SLACK, timestamp=datetime.now(UTC), body=body)
    return post(url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded", **headers})


def typed(server: Server, text: str, *, trigger: str) -> str:
    answer = slack(requests.post, f"{server.url}/webhooks/slack", text, trigger)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["text"])


def test_a_typed_approval_is_answered_with_the_version_that_it_took(tmp_path: Path):
    """By the event loop of the real server, which never reads the ledger itself."""
    with serving(tmp_path) as server:
        record = Opened(server.ledger, lambda: server.deliver("r1"))
        assert typed(server, f"approve {MODEL}", trigger="1.2.a").startswith(
            f"Not done: no promotion of {MODEL} is open"
        )
        id_ = record.opened(3)
        on_it = typed(server, f"approve {MODEL}", trigger="1.2.b")
        assert on_it == f"On it: approving {MODEL} version 3 for Production. The result will appear here."
        record.ended(id_)
        assert typed(server, f"approve {MODEL}", trigger="1.2.b") == on_it
        assert typed(server, "approve nyc-taxi-regresor", trigger="1.2.c").endswith("did you mean nyc-taxi-regressor?")
        assert "source slack may not send promotion.approve about churn" in typed(
            server, "approve churn", trigger="1.2.d"
        )
        with server.ledger.read() as connection:
            rows = connection.execute(events.select().where(events.c.source == "slack")).all()
    assert [(row.type, row.data["version"], row.data["promotion"]) for row in rows] == [("promotion.approve", 3, id_)]
