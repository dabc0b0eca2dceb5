"""/v1: pages, ETags, refusals of what can't be meant, and commands."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from registrar.events.event import Actor
from registrar.ledger.promotions import PromotionRequested
from tests.ledger.chain import EVIDENCE, scene
from tests.webhooks.conftest import Receiver, finished
from webhooks.api import responses
from webhooks.auth import Principal
from webhooks.openapi import event_schemas
from webhooks.openapi.document import document
from webhooks.openapi.schemas import Shape

LISTS = ["events", "promotions", "models", "dead", "queue", "rejections", "overview", "policy", "audit"]


def test_pages_lead_through_all_events(receiver: Receiver):
    for run in "abcde":
        receiver.send(finished(run_id=run))
    seen, cursor = [], ""
    while cursor is not None:
        page = receiver.client.get(f"/v1/events?limit=2&cursor={cursor}" if cursor else "/v1/events?limit=2").json
        seen += [event["data"]["run_id"] for event in page["events"]]
        cursor = page["next"]
    assert seen == list("edcba")


def test_filters_are_asked_for_by_name(receiver: Receiver):
    receiver.send(finished())
    get = receiver.client.get
    assert len(get("/v1/events?source=ci&state=unfinished&type=training_run.finished").json["events"]) == 1
    assert get("/v1/events?actor=ada").json["events"] == []
    assert get("/v1/events?until=2020-01-01T00:00:00Z").json == {"events": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        "events?modle=x",
        "events?limit=2&limit=3",
        "events?cursor=x",
        "events?cursor=%00",
        "events?state=done",
        "events?model=%00",
        "events?since=yesterday",
        f"events?actor={'x' * 5000}",
        "promotions?state=done",
        "promotions?cursor=WyJldmVudHMiLCAxXQ",
        "promotions?limit=99999999999999999999",
        "models?cursor=%F0%9F%98%80",
        "models?x",
        "dead?state=queued",
        "rejections?source=%0a",
        "policy?model=%00",
        "models/taxi/history?target=champion",
        "models/taxi/history?cursor=WyJldmVudHMiLCAxXQ",
        "models/taxi/history?when=now",
        "audit?after=-1",
        "audit?model=%00",
        "audit?since=2026-11-22",
    ],
)
def test_what_can_not_be_meant_is_422_with_a_sentence(receiver: Receiver, query: str):
    answer = receiver.client.get(f"/v1/{query}")
    assert (answer.status_code, answer.json["code"], answer.mimetype) == (
        422,
        "invalid_query",
        "application/problem+json",
    )


@pytest.mark.parametrize("path", ["promotions/prm_0", "models/none", "promotions/%00", "models/%ff", "events/%00"])
def test_what_is_not_there_is_404(receiver: Receiver, path: str):
    answer = receiver.client.get(f"/v1/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", LISTS)
def test_who_is_not_known_is_shown_nothing(receiver: Receiver, name: str):
    assert receiver.client.get(f"/v1/{name}", base_url="http://registrar.example.com").status_code == 401


def test_what_has_not_changed_is_304(receiver: Receiver):
    receiver.send(finished())
    first = receiver.client.get("/v1/events")
    same = receiver.client.get("/v1/events", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers.getlist("Cache-Control") == ["private, no-cache"]
    receiver.send(finished(run_id="other"))
    assert receiver.client.get("/v1/events", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
    assert receiver.client.get("/healthz").headers["Cache-Control"] == "no-store"


def test_the_journal_comes_line_by_line(receiver: Receiver):
    town = scene(receiver.ledger)
    for version in (1, 2, 3):
        town.write(PromotionRequested("nyc-taxi-regressor", version, "Production", EVIDENCE))
    answer = receiver.client.get("/v1/audit")
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert (answer.mimetype, [entry["seq"] for entry in entries]) == ("application/x-ndjson", [1, 2, 3])
    assert [json.loads(line)["seq"] for line in receiver.client.get("/v1/audit?after=2").text.splitlines()] == [3]


def test_exports_of_one_person_are_two_at_a_time_and_one_that_is_broken_off_makes_room(receiver: Receiver):
    town = scene(receiver.ledger)
    town.write(PromotionRequested("taxi", 1, "Production", EVIDENCE))
    under_way = [receiver.client.get("/v1/audit", buffered=False) for _ in range(2)]
    third = receiver.client.get("/v1/audit")
    assert (third.status_code, third.headers["Retry-After"]) == (429, "30")
    under_way[0].close()
    assert receiver.client.get("/v1/audit").status_code == 200
    under_way[1].close()


@pytest.fixture
def act(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """POST as the bearer of a token, of a role; tests/access has how they are signed in."""

    def act(path: str, body: Any = None, *, role: str = "operator", **headers: str) -> TestResponse:
        access = receiver.client.application.extensions["access"]
        who = Principal(Actor("token:bot", "bot"), role, "token", via="bot")
        monkeypatch.setattr(access, "_authenticate", lambda request: who)
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        typed = {"Content-Type": "application/json", **{name.replace("_", "-"): said for name, said in headers.items()}}
        return receiver.client.post(f"/v1/{path}", data=data, headers=typed)

    return act


def waiting(receiver: Receiver) -> str:
    opened = PromotionRequested("nyc-taxi-regressor", 3, "Production", EVIDENCE)
    scene(receiver.ledger).write(opened)
    return opened.id


def test_a_promotion_is_approved_by_its_address(receiver: Receiver, act):
    id_ = waiting(receiver)
    answer = act(f"promotions/{id_}/approve", {"reason": "good"}, role="approver")
    [event] = answer.json["events"]
    assert (answer.status_code, event["type"]) == (202, "promotion.approve")
    found = receiver.client.get(event["status_url"]).json
    assert (found["source"], found["actor"], found["data"]["promotion"]) == ("web", "token:bot", id_)
    assert (found["data"]["version"], found["data"]["reason"]) == (3, "good")


@pytest.mark.parametrize(
    ("path", "body", "type_"),
    [
        ("promotions/{prm}/reject", {"reason": "bad"}, "promotion.reject"),
        ("promotions/{prm}/cancel", None, "promotion.cancel"),
        ("models/nyc-taxi-regressor/rollback", {"reason": "bad", "target": "Staging"}, "model.rollback"),
        ("models/nyc-taxi-regressor/prune", {}, "model.prune"),
        ("dead/{tsk}/retry", {"reason": "again"}, "task.retry"),
        ("dead/{tsk}/drop", {"reason": "a typo"}, "task.drop"),
        ("events/{evt}/replay", None, "event.replay"),
        ("commands", {"type": "model.prune", "data": {"model": "nyc-taxi-regressor"}}, "model.prune"),
    ],
)
def test_whatever_can_be_done_has_an_address(receiver: Receiver, act, path: str, body: Any, type_: str):
    receiver.send(finished())
    ids = {"prm": waiting(receiver), "tsk": receiver.tasks()[0].id, "evt": receiver.events()[0].id}
    answer = act(path.format(**ids), body)
    assert (answer.status_code, answer.json["events"][0]["type"]) == (202, type_), answer.json


def test_what_is_sent_again_with_its_key_is_done_once(receiver: Receiver, act):
    def prune(model: str, key: str) -> TestResponse:
        return act("commands", {"type": "model.prune", "data": {"model": model}}, Idempotency_Key=key)

    first, again, other = prune("a", "k1"), prune("a", "k1"), prune("a", "k2")
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert first.json == again.json != other.json
    assert (prune("b", "k1").status_code, prune("a", "ü").status_code) == (409, 422)
    assert len(receiver.events()) == 2


def test_a_viewer_may_do_nothing_and_an_approver_not_all(receiver: Receiver, act):
    id_ = waiting(receiver)
    assert act(f"promotions/{id_}/approve", role="viewer").status_code == 403
    prune = {"type": "model.prune", "data": {"model": "taxi"}}
    assert [act("commands", prune, role=role).status_code for role in ("viewer", "approver", "operator")] == [
        403,
        403,
        202,
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("commands", b"", 422),
        ("commands", b"[]", 422),
        ("commands", b"{", 400),
        ("commands", b'{"type": "model.prune", "type": "model.prune", "data": {}}', 400),
        ("commands", {"type": "model.prune", "data": {"model": "a\0b"}}, 400),
        ("commands", {"type": "model.prune", "data": {"model": "x"}, "actor": "ada"}, 422),
        ("commands", {"type": "training_run.finished", "data": {"model": "x", "run_id": "r"}}, 422),
        ("commands", {"type": "nonsense", "data": {}}, 422),
        ("commands", b'"' + b"x" * 70_000 + b'"', 413),
        ("promotions/prm_0/approve", None, 404),
        ("dead/%00/retry", None, 404),
        ("models/x/rollback", {"reason": "y", "model": "z"}, 422),
        ("models/x/rollback", None, 422),
        ("models/%00/prune", None, 422),
    ],
)
def test_what_can_not_be_done_is_a_4xx(receiver: Receiver, act, path: str, body: Any, status: int):
    answer = act(path, body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert receiver.events() == []


def test_from_a_browser_page_of_another_site_nothing_is_done(receiver: Receiver):
    answer = receiver.client.post("/v1/models/x/prune", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")


@pytest.mark.parametrize("name", [name for name in LISTS if name != "audit"])
def test_every_read_is_checked_against_the_schema_that_the_document_has_for_it(
    receiver: Receiver, name: str, monkeypatch: pytest.MonkeyPatch
):
    checked: list[str] = []
    monkeypatch.setattr(Shape, "model_validate", classmethod(lambda kind, body: checked.append(kind.__name__)))
    assert receiver.client.get(f"/v1/{name}").status_code == 200
    content = document()["paths"][f"/v1/{name}"]["get"]["responses"]["200"]["content"]
    assert [f"#/components/schemas/{kind}" for kind in checked] == [content["application/json"]["schema"]["$ref"]]


def test_an_answer_that_breaks_its_schema_is_sent_and_logged_without_its_values(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.undo()
    with receiver.client.application.test_request_context("/v1/rejections"):
        body = {"rejections": [{"seq": "a secret"}], "next": None}
        assert responses.respond(event_schemas.Rejections, body) is body
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("the answer to /v1/rejections does not fit Rejections: rejections.0.at (missing)")
    assert "a secret" not in line
