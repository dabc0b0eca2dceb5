"""Every captured request verifies and says what stands beside it; every kind survives the same hostile inputs."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from registrar.config.encryption import REPLY, Encryptor
from registrar.events.event import Event
from tests.docs.pages import section
from tests.sources.captured import FIXTURES, FOLDERS, KINDS, captures, read, sender
from webhooks.ingress.errors import BadSignature, Rejected, StaleTimestamp
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Request
from webhooks.signatures.verifier import WeakSecret
from webhooks.sources.cloudevents.http_binding import BATCH, BINARY, STRUCTURED


def named(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in paths]


def plain(event: Event, encryptor: Encryptor) -> dict[str, Any]:
    return {
        "type": event.type,
        "data": event.data.model_dump(mode="json"),
        "actor": {"id": event.actor.id, "name": event.actor.name},
        "occurred_at": event.occurred_at.isoformat(),
        "reply_to": encryptor.decrypt(event.reply_to, audience=REPLY) if event.reply_to else None,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_fixtures(kind: str):
    assert kind in {folder.partition(".")[0] for folder in FOLDERS}, f"add {FIXTURES / kind}/_sender.json"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sender_has_captured_requests(folder: str):
    assert list((FIXTURES / folder).glob("*.http")), f"add one: {FIXTURES / folder}/<what>__<case>.http"


@pytest.mark.parametrize("path", named(captures()))
def test_a_captured_request_verifies_and_says_what_stands_beside_it(path: Path):
    capture = read(path)
    assert capture.expected.exists(), f"add {capture.expected}: delivery_id, events and answer"
    signed_id = capture.sender.verify(capture.request).delivery_id
    parsed = capture.sender.normalise(capture.request)
    said = {
        "delivery_id": parsed.delivery_id or signed_id,
        "events": [plain(event, capture.sender.context.encryptor) for event in parsed.events],
        "answer": parsed.answer and {"status": parsed.answer.status, "body": dict(parsed.answer.body)},
    }
    assert said == json.loads(capture.expected.read_text()), f"if this is right, say so in {capture.expected}"


@pytest.mark.parametrize("path", named(captures(signs="body")))
def test_a_changed_byte_is_a_bad_signature(path: Path):
    capture = read(path)
    body = capture.request.body
    for changed in (body[:-1], body + b" ", bytes([body[0] ^ 1]) + body[1:], b""):
        with pytest.raises(BadSignature):
            capture.sender.verify(replace(capture.request, body=changed))


@pytest.mark.parametrize("path", named(captures(signs="timestamp")))
@pytest.mark.parametrize("sign", [1, -1])
def test_a_request_signed_longer_ago_or_further_ahead_than_allowed_is_stale(path: Path, sign: int):
    capture = read(path)
    at = capture.request.received_at
    capture.sender.verify(replace(capture.request, received_at=at + timedelta(seconds=300 * sign)))
    with pytest.raises(StaleTimestamp, match="sign each attempt again"):
        capture.sender.verify(replace(capture.request, received_at=at + timedelta(seconds=301 * sign)))


HOSTILE_HEADERS = {
    "missing": None,
    "empty": "",
    "a word": "nonsense",
    "not ascii": "v1,\u0661\u00e9 v0=\u00e9",
    "a lone surrogate": "v0=\udcff",
    "only the prefixes": "v1, v0=",
    "the hash is chosen": "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "many": " ".join(["v1,AAAA"] * 1000),
    "long": "v0=" + "a" * 100_000,
    "NUL": "v1,\0",
    "not a number": "nan",
    "underscored digits": "161_4265330",
    "spaced digits": " 1614265330 ",
    "a fraction": "1614265330.9",
    "Arabic digits": "\u0661\u0666\u0661\u0664\u0662\u0666\u0665\u0663\u0663\u0660",
    "endless digits": "1" * 5000,
    "negative": "-1",
    "traversal": "../../etc/passwd",
    "a dot": "msg.1614265330",
}


_SIGNING = ("signature", "timestamp", "webhook-id", "authorization", "svix-id", "acme")


def signing_headers(request: Request) -> list[str]:
    return [name for name in request.headers if any(word in name for word in _SIGNING)]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("value", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS.keys())
def test_every_malformed_header_is_the_same_bad_signature(folder: str, value: str | None):
    capture = read(next(path for path in captures() if path.parent.name == folder))
    said = set()
    for name in signing_headers(capture.request):
        headers = {**capture.request.headers, name: value} if value is not None else dict(capture.request.headers)
        if value is None:
            del headers[name]
        with pytest.raises(BadSignature) as caught:
            capture.sender.verify(replace(capture.request, headers=headers))
        said.add(str(caught.value))
    assert len(said) == 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_repeated_header_is_a_bad_signature(folder: str):
    capture = read(next(path for path in captures() if path.parent.name == folder))
    for name in signing_headers(capture.request):
        for comma in (",", ", "):
            value = capture.request.headers[name]
            doubled = {**capture.request.headers, name: f"{value}{comma}{value}"}
            with pytest.raises(BadSignature):
                capture.sender.verify(replace(capture.request, headers=doubled))


HOSTILE_BODIES = {
    "nothing": b"",
    "a word": b"hello",
    "bytes": bytes(range(256)),
    "UTF-16": '{"type": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"type": "training_run.finished", "data": {}}',
    "NaN": b'{"type": "training_run.finished", "data": {"model": NaN}}',
    "1e999": b'{"type": "training_run.finished", "data": {"model": 1e999}}',
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 65 + b"]" * 65,
    "a huge number": b'{"a": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"type": "training_run.finished", "type": "training_run.failed", "data": {}}',
    "half a surrogate pair": b'{"type": "training_run.finished", "data": {"model": "\\ud800", "run_id": "r"}}',
    "NUL": b'{"type": "training_run.finished", "data": {"model": "a\\u0000", "run_id": "r"}}',
    "null": b"null",
    "a list": b"[]",
    "no type": b"{}",
    "a type that is no text": b'{"type": ["training_run.finished"], "data": {}}',
    "an unknown type": b'{"type": "worker.register", "data": {}}',
    "data that is no object": b'{"type": "training_run.finished", "data": []}',
    "a form of nothing": b"=&=",
    "a form without =": b"payload",
    "a form with a field twice": b"command=%2Fregistry&command=%2Fother&text=help",
    "a form of no UTF-8": b"command=%ff&text=help",
    "a form with many fields": b"&".join(b"f%d=" % n for n in range(1000)),
    "a payload that is no JSON": b"payload=x",
    "a payload that is no object": b"payload=[1]",
    "a payload of another kind": b'payload={"type":"view_submission","actions":[]}',
    "actions that are no objects": b'payload={"type":"block_actions","actions":[1],"user":1,"team":[]}',
    "a foreign button": b'payload={"type":"block_actions","actions":[{"action_id":"x","value":"y"}],'
    b'"user":{"id":"U1","team_id":"T1"}}',
    "a made-up value": b'payload={"type":"block_actions","actions":[{"action_id":"registrar.approve",'
    b'"value":"\xc3\xa9"}],"user":{"id":"U1","team_id":"T1"}}',
    "an account that is a path": b'payload={"type":"block_actions","actions":[],"user":{"id":"../x","team_id":"T1"}}',
}


# Well-formed JSON that is nobody's business is no mistake of theirs. Slack and Teams show no name of it.
POLITE = {"slack": [{}], "teams": [{"type": "message", "text": mock.ANY}]}


def fate(who: OpenSource, request: Request) -> tuple[int, str, int]:
    """The status, the reason, and how many events."""
    try:
        parsed = who.normalise(request)
    except Rejected as rejected:
        return rejected.status, rejected.detail, 0
    assert parsed.answer
    said = dict(parsed.answer.body)
    named = said.get("ignored") or said in POLITE.get(who.context.config.kind, ())
    return 200, str(named or ""), len(parsed.events)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_a_signed_but_senseless_body_is_a_4xx_or_ignored_by_name_in_every_content_type(folder: str, body: bytes):
    who, now = sender(folder)
    for content_type in who.kind.CONTENT_TYPES or (STRUCTURED, BATCH, BINARY, "text/plain", ""):
        status, said, accepted = fate(who, Request({}, body, content_type, now))
        assert not accepted
        assert said
        assert status == 200 or 400 <= status < 500


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_AAAA"])
def test_a_weak_secret_is_refused_without_being_told(folder: str, secret: str):
    who, _ = sender(folder)
    with pytest.raises(WeakSecret) as caught:
        who.kind.check_secret(secret)
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_of_in_the_docs(kind: str):
    _, text = section(f"Source: `{kind}`")
    assert f"kind: {kind}\n" in text, f"show a source of kind {kind}"
