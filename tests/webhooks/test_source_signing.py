"""Requests made as senders make them: every kind's captured ones, signed anew, are taken by the receiver."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from registrar.policy import Policy
from tests.sources.captured import captures, read, sender
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Outgoing, Request
from webhooks.signatures import source_signing
from webhooks.signatures.schemes import SLACK, STANDARD_WEBHOOKS
from webhooks.signatures.source_signing import CannotSend

EVENT = {
    "type": "training_run.finished",
    "timestamp": "2026-11-22T12:00:00+00:00",
    "data": {"model": "nyc-taxi-regressor", "run_id": "4c8ef2a1"},
}


def arrived(outgoing: Outgoing) -> Request:
    content_type = outgoing.headers["content-type"].partition(";")[0]
    return Request(outgoing.headers, outgoing.body, content_type, datetime.now(UTC))


def with_key_pair(who: OpenSource) -> tuple[OpenSource, str | None]:
    """For a kind that signs with a private key: a new pair, as nobody has the captured ones' private half."""
    scheme = source_signing.scheme_of(who)
    if not scheme or not scheme.public or scheme.public.key_prefix:
        return who, None
    key = Ed25519PrivateKey.generate()
    context = replace(who.context, secrets=(key.public_key().public_bytes_raw().hex(),))
    return replace(who, context=context), "whsk_" + base64.b64encode(key.private_bytes_raw()).decode()


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in captures()])
def test_a_captured_request_signed_anew_is_taken(path: Path):
    """A button ages whoever signs: a press is read at the time it was captured."""
    captured = read(path)
    who, secret = with_key_pair(captured.sender)
    outgoing = source_signing.captured(path.read_bytes(), whole=True, headers={})
    signed = arrived(source_signing.signed(who, outgoing, secret=secret, id="msg_1"))
    who.verify(signed)
    is_press = path.stem.startswith(("press__", "block_actions__"))
    who.normalise(replace(signed, received_at=captured.request.received_at) if is_press else signed)


@pytest.mark.parametrize("kind", ["standard", "github"])
def test_our_event_said_as_the_sender_would_is_our_event_again(kind: str):
    who, _ = sender(kind)
    signed = source_signing.signed(who, source_signing.composed(who, EVENT), secret=None, id="msg_1")
    [event] = who.normalise(arrived(signed)).events
    assert event.type == EVENT["type"]
    assert event.data.model_dump(exclude_unset=True) == EVENT["data"]


def test_a_kind_without_words_for_our_events_says_so():
    with pytest.raises(CannotSend, match="a slack source can't send our events"):
        source_signing.composed(sender("slack")[0], EVENT)


def test_the_standards_own_library_takes_the_signature():
    who, _ = sender("standard")
    signed = source_signing.signed(who, source_signing.composed(who, EVENT), secret=None, id="msg_1")
    assert Webhook(who.context.secrets[0]).verify(signed.body, dict(signed.headers)) == EVENT


def test_a_private_key_signs_v1a():
    key = Ed25519PrivateKey.generate()
    public, private = key.public_key().public_bytes_raw(), key.private_bytes_raw()
    who, _ = sender("standard")
    who = replace(who, context=replace(who.context, secrets=("whpk_" + base64.b64encode(public).decode(),)))
    for half in (private, private + public):
        secret = "whsk_" + base64.b64encode(half).decode()
        signed = source_signing.signed(who, source_signing.composed(who, EVENT), secret=secret, id="msg_1")
        assert signed.headers["webhook-signature"].startswith("v1a,")
        assert who.verify(arrived(signed)).delivery_id == "msg_1"


def test_a_secret_that_the_source_does_not_have_is_said_before_anything_is_sent():
    who, _ = sender("github")
    with pytest.raises(CannotSend, match=r"github would refuse it: .* one of sources\.github\.secrets") as caught:
        source_signing.signed(who, source_signing.composed(who, EVENT), secret="something else entirely", id="msg_1")
    assert "entirely" not in str(caught.value)


def test_a_public_key_can_not_sign():
    who, _ = sender("discord")
    with pytest.raises(CannotSend, match="the sender's private key"):
        source_signing.signed(who, Outgoing({"content-type": "application/json"}, b"{}"), secret=None, id="msg_1")


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_file_is_read_with_its_headers_and_exact_body(newline: bytes):
    lines = [
        b"POST /webhooks/x HTTP/1.1",
        b"Host: x",
        b"Content-Length: 9",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Expect: 100-continue",
        b"no header",
        b"X-GitHub-Event: push",
        b"X-Link: https://x.test:1/",
        b"",
        b"{ \r\n\r\n}\n\n}\n",
    ]
    found = source_signing.captured(newline.join(lines), whole=True, headers={"X-More": "y"})
    assert dict(found.headers) == {"x-github-event": "push", "x-link": "https://x.test:1/", "x-more": "y"}
    assert found.body == b"{ \r\n\r\n}\n\n}\n"


def test_a_request_line_with_a_whole_address_is_no_header():
    found = source_signing.captured(b"POST http://x.test/y HTTP/1.1\nX-Event: z\n\n{}", whole=True, headers={})
    assert dict(found.headers) == {"x-event": "z"}


def test_a_file_may_begin_with_its_blank_line():
    found = source_signing.captured(b"\n\n{}", whole=True, headers={"X-Event": "z"})
    assert (dict(found.headers), found.body) == ({"x-event": "z"}, b"{}")


def test_a_body_alone_gets_the_headers_that_are_given():
    found = source_signing.captured(b"{}", whole=False, headers={"X-GitHub-Event": "ping"})
    assert dict(found.headers) == {"content-type": "application/json", "x-github-event": "ping"}


def test_a_file_without_a_blank_line_is_no_request():
    with pytest.raises(CannotSend, match="no blank line"):
        source_signing.captured(b'{"a": 1}', whole=True, headers={})


def test_a_source_of_another_installation_needs_its_kind_and_a_secret_alone():
    secret = json.loads((Path(__file__).parents[1] / "fixtures/slack/_sender.json").read_text())["secrets"][0]
    who = source_signing.foreign_source("slack", "chat", secret)
    outgoing = Outgoing({"content-type": "application/x-www-form-urlencoded"}, b"command=%2Fregistry&text=help")
    assert "x-slack-signature" in source_signing.signed(who, outgoing, secret=None, id="x").headers
    assert source_signing.scheme_of(who) is SLACK
    assert source_signing.scheme_of(sender("standard")[0]) is STANDARD_WEBHOOKS


@pytest.mark.parametrize("kind", ["standard", "mlflow", "teams"])
def test_a_kind_without_options_needs_no_more(kind: str):
    secret = sender(kind)[0].context.secrets[0]
    who = source_signing.foreign_source(kind, "there", secret)
    assert (who.context.name, who.context.config.kind, who.context.secrets) == ("there", kind, (secret,))


@pytest.mark.parametrize(
    ("kind", "secret", "says"),
    [
        ("slak", "x" * 32, "unknown kind"),
        ("slack", "short", "--secret: the secret's key has 5 bytes"),
        ("github", "x" * 32, "run this where its registrar.yml is"),
    ],
)
def test_a_stranger_that_can_not_be_known_is_said(kind: str, secret: str, says: str):
    with pytest.raises(CannotSend, match=says):
        source_signing.foreign_source(kind, "there", secret)


def test_a_source_that_registrar_yml_does_not_have(settings):
    with pytest.raises(CannotSend, match="no source 'nobody'"):
        source_signing.opened("nobody", Policy(version=1), settings)


SOURCES = {
    "ci": {"kind": "standard", "secrets": ["env:CI_SECRET"]},
    "bots": {"kind": "slack", "secrets": ["env:NOT_SET"]},
    "weak": {"kind": "slack", "secrets": ["env:WEAK_SECRET"]},
}
POLICY = Policy.model_validate({"version": 1, "sources": SOURCES})


def test_a_source_that_is_not_there_is_answered_with_those_that_are(settings):
    with pytest.raises(CannotSend, match="no source 'nobody', only ci, bots, weak"):
        source_signing.opened("nobody", POLICY, settings)


def test_a_source_is_opened_with_its_secret(settings):
    assert source_signing.opened("ci", POLICY, settings).context.secrets == (settings.secret("env:CI_SECRET"),)


def test_a_secret_that_can_not_be_read_is_said(settings):
    with pytest.raises(CannotSend, match="NOT_SET"):
        source_signing.opened("bots", POLICY, settings)


def test_a_key_of_the_installation_that_is_none_is_said(settings):
    with pytest.raises(CannotSend, match="REGISTRAR_SECRET_KEY is not a key"):
        source_signing.opened("ci", POLICY, replace(settings, secret_key="no key"))


def test_each_source_that_can_not_be_opened_is_named_with_its_reason(settings):
    found = source_signing.cannot_open(POLICY, settings)
    assert {place: why for place, why in found if "NOT_SET" in str(why)}.keys() == {("sources", "bots", "secrets")}
    assert {place[1] for place, _ in found} == {"bots", "weak"}
    assert [place[1] for place, _ in source_signing.cannot_open(POLICY, settings, but=["weak"])] == ["bots"]
