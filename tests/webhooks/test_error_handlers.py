"""Bad input: a 4xx that says what was wrong and what would be right, a row in `rejections`, and nothing half done."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.webhooks.conftest import CI, SLACK, Receiver, finished, signed

GOOD = json.dumps(finished()).encode()


def refused(receiver: Receiver, answer, status: int, code: str, source: str = "ci") -> str:
    """It is problem+json, recorded once, and nothing was accepted. Returns the sentence."""
    assert answer.mimetype == "application/problem+json"
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, status, code)
    assert set(answer.json) >= {"type", "title", "detail"}
    assert receiver.rejections() == [(source, status, code)]
    assert receiver.events() == receiver.tasks() == []
    return answer.json["detail"]


def test_an_unknown_source_is_404(receiver):
    assert "has no source 'nobody'" in refused(
        receiver, receiver.send(finished(), to="nobody"), 404, "unknown_source", "nobody"
    )


def test_a_hostile_source_name_is_shown_and_recorded_without_its_controls(receiver):
    answer = receiver.post(b"", {}, to="a%00%0A%E2%80%AEb" + "c" * 200)
    assert refused(receiver, answer, 404, "unknown_source", ("a???b" + "c" * 200)[:64])


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "x", "v1,\u00e9", "v1,AAAA"])
def test_a_bad_signature_header_is_always_the_same_401(receiver, header, value):
    headers = signed(GOOD)
    headers.pop(header) if value is None else headers.update({header: value})
    detail = refused(receiver, receiver.post(GOOD, headers), 401, "bad_signature")
    assert "sign the exact bytes of the body" in detail


def test_another_secret_is_401(receiver):
    refused(receiver, receiver.send(finished(), secret="whsec_" + "bm9w" * 8), 401, "bad_signature")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_stale_timestamp_is_401(receiver, minutes):
    headers = signed(GOOD, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert "300 are allowed" in refused(receiver, receiver.post(GOOD, headers), 401, "stale_timestamp")


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options"])
def test_another_method_is_405(receiver, method):
    answer = getattr(receiver.client, method)("/webhooks/ci")
    refused(receiver, answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == ({"POST"} if method == "options" else {"POST", "OPTIONS"})


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "\u00e9/x"])
def test_another_content_type_is_415(receiver, content_type):
    answer = receiver.post(GOOD, {**signed(GOOD), "Content-Type": content_type})
    assert "send application/json" in refused(receiver, answer, 415, "unsupported_media_type")


def test_a_compressed_body_is_415(receiver):
    answer = receiver.post(GOOD, {**signed(GOOD), "Content-Encoding": "gzip"})
    assert "without Content-Encoding" in refused(receiver, answer, 415, "unsupported_media_type")


def test_a_body_over_the_sources_limit_is_413(receiver):
    assert "4096 bytes" in refused(receiver, receiver.send(GOOD.ljust(4097)), 413, "too_large")


NOT_JSON = [b"", b"x", b"{", b"[" * 4000, b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b'{"\\ud800":1}', b'"\\u0000"']


@pytest.mark.parametrize("body", [*NOT_JSON, b"9223372036854775808"])
def test_what_is_not_strict_json_is_400(receiver, body):
    refused(receiver, receiver.send(body), 400, "not_json")


@pytest.mark.parametrize(
    ("content", "field", "sentence"),
    [
        ([], "body", "one JSON object"),
        ({"data": {}}, "type", "must be a text such as training_run.finished"),
        ({"type": "training_run.finish", "data": {}}, "type", "known are artifacts.fetch"),
        ({"type": "training_run.finished"}, "data", "must be an object"),
        ({**finished(), "run": 1}, "run", "the keys are type, timestamp and data"),
        ({**finished(), "timestamp": "yesterday"}, "timestamp", "ISO 8601 with a zone"),
        ({**finished(), "timestamp": "2026-11-22T12:00:00"}, "timestamp", "ISO 8601 with a zone"),
        ({**finished(), "timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp", "ISO 8601 with a zone"),
        ({**finished(), "timestamp": 5}, "timestamp", "ISO 8601 with a zone"),
        (finished(run_id=None), "data", "give exactly one of run_id and search"),
        (finished(run_id="../x"), "data.run_id", "is no run's id: it has letters, digits"),
        (finished(run_id="r1\n"), "data.run_id", "has a line break"),
        (finished(model="a/b"), "data.model", "no / or :"),
        (finished(model="nyc-taxi-x\n"), "data.model", "has a line break"),
        (finished(metric=1), "data.metric", "its fields are model, run_id"),
        (
            finished(tags={"registrar.evaluation": "r1"}),
            "data.tags",
            "no event may set the tag registrar.evaluation: tags that begin with registrar. or mlflow. are kept by "
            "Registrar and MLflow; choose another name, such as 'evaluation'",
        ),
        ({"type": "training_run.finished", "data": {}}, "data.model", "data.model is missing"),
        (
            {"type": "model_version.transition", "data": {"model": "nyc-taxi-x", "version": 1, "stage": "Prod"}},
            "data.stage",
            "is none of None, Staging, Production, Archived",
        ),
        (
            {"type": "model_version.archive", "data": {"model": "nyc-taxi-x", "version": True}},
            "data.version",
            "a whole number such as 3",
        ),
    ],
)
def test_what_is_no_valid_event_is_422_and_names_the_field(receiver, content, field, sentence):
    answer = receiver.send(content)
    assert sentence in refused(receiver, answer, 422, "invalid_event")
    assert field in [error["field"] for error in answer.json["errors"]]


@pytest.mark.parametrize(
    "content",
    [
        finished(model="churn"),
        {"type": "promotion.approve", "data": {"model": "nyc-taxi-regressor", "version": 1}},
        {"type": "experiment.create", "data": {"name": "nyc-taxi-experiment"}},
    ],
)
def test_what_registrar_yml_does_not_grant_is_403(receiver, content):
    assert "add an entry to sources.ci.may" in refused(receiver, receiver.send(content), 403, "not_permitted")


def test_a_delivery_id_with_another_body_is_409(receiver):
    receiver.send(finished(), id="msg_1")
    answer = receiver.send(finished(run_id="other"), id="msg_1")
    assert (answer.status_code, answer.json["code"]) == (409, "delivery_reused")
    assert receiver.rejections() == [("ci", 409, "delivery_reused")]
    assert len(receiver.events()) == 1


def test_no_secret_signature_or_body_is_in_a_rejection_or_a_log_line(receiver, caplog):
    body = json.dumps(finished(run_id=["hush-hush"])).encode()
    headers = signed(body)
    receiver.post(body, headers)
    receiver.post(body, {**headers, "webhook-signature": "v1,aHVzaC1odXNo"})
    receiver.slack(b"command=%2Fregistry&text=hush-hush-" + b"x" * 9, secret=SLACK + "x")
    assert len(receiver.rejections()) == 3
    with receiver.ledger.read() as connection:
        dump = "\n".join(connection.connection.dbapi_connection.iterdump()) + caplog.text
    for hushed in ("hush-hush", "aHVzaC1odXNo", headers["webhook-signature"], CI.removeprefix("whsec_"), SLACK):
        assert hushed not in dump


def test_a_fault_of_ours_is_logged_with_its_traceback_and_told_without(receiver, monkeypatch, caplog):
    monkeypatch.setattr("webhooks.ingress.endpoint.clean", None)
    answer = receiver.post(b"", {}, to="nobody")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "NoneType" not in answer.text
    assert "Traceback" in caplog.text


def test_a_page_that_is_not_there_is_a_problem_too_and_no_rejection(receiver):
    answer = receiver.client.get("/favicon.ico")
    assert (answer.status_code, answer.json["code"], answer.mimetype) == (404, "not_found", "application/problem+json")
    assert receiver.rejections() == []


def test_every_answer_forbids_caching_and_sniffing(receiver):
    for answer in (receiver.send(finished()), receiver.send(b"x"), receiver.client.get("/healthz")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
