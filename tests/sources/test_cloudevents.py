"""What is special about CloudEvents: CNCF's own package speaks, three modes, one identity, and the handshake."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.captured import FIXTURES, read, sender
from webhooks.ingress.errors import BadSignature, InvalidEvent, NotPermitted, UnsupportedMediaType
from webhooks.ingress.source_types import Parsed, Request
from webhooks.sources.cloudevents import MOST, Options
from webhooks.sources.cloudevents.http_binding import BATCH, BINARY, STRUCTURED

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIGNED, BEARER = sender("cloudevents")[0], sender("cloudevents.bearer")[0]
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "type": "training_run.finished",
    "source": "/pipelines/train",
    "id": "A1",
    "data": {"model": "taxi", "run_id": "r1"},
}


def structured(content: Any, *, content_type: str = STRUCTURED) -> Parsed:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return BEARER.normalise(Request({}, body, content_type, NOW))


def binary(headers: dict[str, str], body: bytes = b'{"model": "taxi", "run_id": "r1"}') -> Parsed:
    return BEARER.normalise(Request(headers, body, "application/json", NOW))


HEADERS = {"ce-specversion": "1.0", "ce-type": "training_run.finished", "ce-source": "/pipelines/train", "ce-id": "A1"}
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)


@given(id=texts, source=texts, subject=texts, run_id=st.from_regex("[a-z0-9]{1,30}", fullmatch=True))
def test_what_cncfs_package_sends_is_the_same_event_in_every_mode(id: str, source: str, subject: str, run_id: str):
    attributes = {"type": "training_run.finished", "source": source, "id": id, "subject": subject, "time": NOW}
    cloud = CloudEvent(attributes, {"model": "taxi", "run_id": run_id})
    messages = [to_structured(cloud, JSONFormat()), to_binary(cloud, JSONFormat())]
    parsed = []
    for message in messages:
        headers = {name.lower(): value for name, value in message.headers.items()}
        content_type = headers.get("content-type", "application/json")
        parsed.append(BEARER.normalise(Request(headers, message.body, content_type, NOW)))
    [event], [other] = (each.events for each in parsed)
    assert event == other
    assert (event.type, event.data.run_id, event.occurred_at) == ("training_run.finished", run_id, NOW)
    assert parsed[0].delivery_id == parsed[1].delivery_id
    assert parsed[0].digest == parsed[1].digest


def test_source_and_id_together_are_the_identity():
    first = structured(EVENT).delivery_id
    assert structured({**EVENT, "time": "2026-11-22T13:00:00+01:00"}).delivery_id == first
    assert structured({**EVENT, "id": "A2"}).delivery_id != first
    assert structured({**EVENT, "source": "/pipelines/other"}).delivery_id != first
    assert structured({**EVENT, "source": "/pipelines/train\x01"}).delivery_id != first


def test_binary_mode_is_not_taken_where_only_the_body_is_signed():
    """Whoever caught a body could send it again as another type."""
    with pytest.raises(InvalidEvent, match="the ce- headers are not signed"):
        SIGNED.normalise(Request({**HEADERS, "ce-type": "com.example.promotion.approve"}, b"{}", BINARY, NOW))


def test_a_signed_events_identity_can_not_be_changed_by_a_header():
    capture = read(FIXTURES / "cloudevents" / "structured__training_finished.http")
    other = replace(
        capture.request, headers={**capture.request.headers, "ce-id": "new", "ce-type": "promotion.approve"}
    )
    capture.sender.verify(other)
    assert capture.sender.normalise(other) == capture.sender.normalise(capture.request)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion is missing"),
        ({"id": None}, "id is missing"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": ["x"]}, "source"),
        ({"type": {}}, "type"),
        ({"type": "training_run.finishd"}, "did you mean training_run.finished"),
        ({"time": "yesterday"}, "RFC 3339"),
        ({"time": "2026-11-22T12:00:00"}, "RFC 3339"),
        ({"time": "2026-11-22 12:00:00Z"}, "RFC 3339"),
        ({"time": "2026-13-22T12:00:00Z"}, "RFC 3339"),
        ({"time": "0001-01-01T00:00:00+23:59"}, "RFC 3339"),
        ({"time": 7}, "RFC 3339"),
        ({"subject": ""}, "subject"),
        ({"data": None}, "data must be a JSON object"),
        ({"data": []}, "data must be a JSON object"),
        ({"data": {}}, "is missing"),
        ({"data_base64": "e30="}, "data_base64 is not accepted"),
        ({"datacontenttype": "text/xml"}, "datacontenttype application/json"),
    ],
)
def test_what_is_no_cloudevent_of_ours_is_refused(changes: dict[str, Any], says: str):
    with pytest.raises(InvalidEvent, match=says):
        structured({**EVENT, **changes})


@pytest.mark.parametrize(
    "time", ["2026-11-22T12:00:00Z", "2026-11-22t12:00:00.123456789z", "2026-11-22T13:00:00+01:00"]
)
def test_times_as_the_rfc_has_them(time: str):
    [event] = structured({**EVENT, "time": time}).events
    assert event.occurred_at.replace(microsecond=0) == NOW


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ce-id": "A1"},
        {**HEADERS, "ce-specversion": "1.1"},
        {**HEADERS, "ce-id": "%ff"},
        {**HEADERS, "ce-id": "\u00e9"},
        {**HEADERS, "ce-time": "now"},
        {**HEADERS, "ce-type": ""},
    ],
)
def test_headers_that_are_no_cloudevents_are_refused(headers: dict[str, str]):
    with pytest.raises(InvalidEvent):
        binary(headers)


@pytest.mark.parametrize(
    "more", [{"knativearrivaltime": "x"}, {"Bad-Name": "x"}, {"x" * 99: ["no text"]}, {"data_base64": None}]
)
def test_what_brokers_add_is_nobodys_business(more: dict[str, Any]):
    assert structured({**EVENT, **more}) == structured(EVENT)


def test_headers_that_brokers_add_are_nobodys_business():
    assert binary(
        {**HEADERS, "ce-a-b": "x", "ce-data": "y", "ce-subject": "\u00e9", "ce-partitionkey": "%ff"}
    ) == binary(HEADERS)


FOREIGN: dict[str, Any] = {**EVENT, "type": "com.example.order.created"}


def ignored(parsed: Parsed) -> str:
    assert parsed.events == ()
    assert parsed.answer
    assert parsed.answer.status == 200
    return str(parsed.answer.body["ignored"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": None},
        {"data": "<order/>", "datacontenttype": "application/xml"},
        {"data_base64": "AAEC", "datacontenttype": "application/avro"},
        {"specversion": "1.1"},
        {"time": "yesterday", "subject": ""},
        {"type": "worker.register"},
        {"type": "\u202e" * 500},
    ],
)
def test_somebody_elses_event_is_ignored_by_its_type_whatever_it_says(changes: dict[str, Any]):
    said = ignored(structured({**FOREIGN, **changes}))
    assert "is none of Registrar's" in said
    assert said.isprintable()
    assert len(said) < 150


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/avro", "application/xml", BINARY, "image/png"])
@pytest.mark.parametrize("who", [BEARER, SIGNED])
def test_somebody_elses_event_in_binary_mode_may_be_of_any_type_or_without_a_body(who: Any, content_type: str):
    for body in (b"", b"\x00\x01", b"{"):
        headers = {**HEADERS, "ce-type": "com.example.order.created"}
        assert ignored(who.normalise(Request(headers, body, content_type, NOW)))


@pytest.mark.parametrize("format_", ["cloudevents+avro", "cloudevents+xml", "cloudevents-batch+protobuf"])
def test_another_format_than_json_is_ignored_by_its_name(format_: str):
    assert STRUCTURED in ignored(BEARER.normalise(Request({}, b"\x0a", f"application/{format_}", NOW)))


def test_what_is_no_cloudevent_at_all_is_told_which_content_types_are():
    with pytest.raises(UnsupportedMediaType, match="text/plain is no CloudEvent's: send application/cloudevents"):
        BEARER.normalise(Request({}, b"hello", "text/plain", NOW))


def test_of_ours_in_binary_mode_the_content_type_is_the_datas():
    for content_type in ("text/plain", "application/avro"):
        with pytest.raises(InvalidEvent, match="must be a JSON object, with the datacontenttype"):
            BEARER.normalise(Request(HEADERS, b'{"model": "taxi", "run_id": "r1"}', content_type, NOW))


def test_ours_is_taken_from_a_batch_of_other_peoples():
    foreign = [{**FOREIGN, "data_base64": "AAEC"}, {"type": "com.example.ping"}, {**FOREIGN, "specversion": "2"}]
    parsed = structured([*foreign, EVENT, *foreign], content_type=BATCH)
    assert [event.type for event in parsed.events] == ["training_run.finished"]


def test_an_event_has_one_identity_in_whatever_batch_or_mode_it_comes():
    alone = structured(EVENT)
    other = {**EVENT, "id": "A2"}
    for batch in ([EVENT, other], [other, FOREIGN, EVENT], [EVENT], [EVENT, EVENT, other, EVENT]):
        parsed = structured(batch, content_type=BATCH)
        assert len(parsed.events) == len(parsed.identities) == len({json.dumps(one) for one in batch if one != FOREIGN})
        assert (alone.delivery_id, alone.digest) in [(one.delivery_id, one.digest) for one in parsed.identities]


def test_two_events_of_a_batch_with_one_identity_that_differ_are_refused():
    with pytest.raises(InvalidEvent, match="same source and id"):
        structured([EVENT, {**EVENT, "data": {"model": "taxi", "run_id": "r2"}}], content_type=BATCH)


def test_percent_encoding_is_undone_once():
    plain = {**EVENT, "source": "a%20b c"}
    assert binary({**HEADERS, "ce-source": "a%2520b%20c"}).delivery_id == structured(plain).delivery_id


def test_a_batch_is_taken_whole_or_not_at_all():
    good, bad = EVENT, {**EVENT, "id": "A2", "data": {}}
    assert len(structured([good, {**good, "id": "A2"}], content_type=BATCH).events) == 2
    with pytest.raises(InvalidEvent, match=r"event 1 of the batch: .*model is missing") as caught:
        structured([good, bad], content_type=BATCH)
    assert caught.value.errors


@pytest.mark.parametrize("content", [{}, EVENT, [[EVENT]], [7], [EVENT] * (MOST + 1), None])
def test_what_is_no_batch_is_refused(content: Any):
    with pytest.raises(InvalidEvent, match="batch"):
        structured(content, content_type=BATCH)


def test_of_a_batch_only_ours_are_counted():
    assert len(structured([*[FOREIGN] * 1000, EVENT], content_type=BATCH).events) == 1


@pytest.mark.parametrize("header", ["bearer  a-bearer-token-of-some-length", "BEARER a-bearer-token-of-some-length"])
def test_a_token_stands_behind_one_blank_or_more(header: str):
    BEARER.verify(Request({"authorization": header}, b"{}", STRUCTURED, NOW))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer other-token-of-some-length", "Basic x", "Bearer a,b"])
def test_another_token_is_a_bad_signature(header: str):
    with pytest.raises(BadSignature):
        BEARER.verify(Request({"authorization": header}, b"{}", STRUCTURED, NOW))


def handshake(origin: str | None, *origins: str) -> Any:
    context = replace(BEARER.context, options=Options(origins=list(origins)))
    return replace(BEARER, context=context).handshake({"webhook-request-origin": origin} if origin else {})


@pytest.mark.parametrize(("origins", "allowed"), [(["Eventing.example.com"], "Eventing.example.com"), (["*"], "*")])
def test_a_known_origin_is_told_that_it_may_send_and_how_often(origins: list[str], allowed: str):
    answer = handshake("eventing.example.com", *origins)
    assert answer.status == 200
    assert answer.headers == {
        "WebHook-Allowed-Origin": allowed,
        "WebHook-Allowed-Rate": "6000",
        "Allow": "POST, OPTIONS",
    }


@pytest.mark.parametrize("origin", ["evil.example.com", "eventing.example.com.evil.example", "x\r\ny", "\u202e", "*"])
def test_nobody_else_is(origin: str):
    with pytest.raises(NotPermitted) as caught:
        handshake(origin, "eventing.example.com")
    assert origin == "*" or all(char.isprintable() for char in caught.value.detail)


def test_options_without_the_question_is_no_handshake():
    with pytest.raises(InvalidEvent, match="WebHook-Request-Origin is missing"):
        handshake(None, "*")


def test_the_rate_is_told_per_minute():
    config = BEARER.context.config.model_copy(update={"rate_limit": "5/second"})
    context = replace(BEARER.context, config=config, options=Options(origins=["*"]))
    answer = replace(BEARER, context=context).handshake({"webhook-request-origin": "x"})
    assert answer
    assert answer.headers["WebHook-Allowed-Rate"] == "300"
