"""What is special about Teams: a command in a message, an answer at once, and a time in the body only."""

import base64
import hashlib
import hmac
import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.captured import FIXTURES, read
from webhooks.ingress.errors import BadSignature, InvalidEvent, StaleTimestamp
from webhooks.ingress.source_types import Parsed
from webhooks.signatures import schemes, verifier
from webhooks.signatures.verifier import WeakSecret

APPROVE = read(FIXTURES / "teams" / "message__approve.http")
KEY = APPROVE.sender.context.secrets[0]


def normalised(**changes: object) -> Parsed:
    """The captured message with some of its fields changed; None takes one away."""
    activity = {**json.loads(APPROVE.request.body), **changes}
    body = json.dumps({name: value for name, value in activity.items() if value is not None}).encode()
    return APPROVE.sender.normalise(replace(APPROVE.request, body=body))


@given(st.binary(max_size=3000))
def test_an_independent_signer_agrees_on_any_body(body: bytes):
    mac = base64.b64encode(hmac.new(base64.b64decode(KEY), body, hashlib.sha256).digest()).decode()
    request = replace(APPROVE.request, body=body, headers={"authorization": f"HMAC {mac}"})
    assert APPROVE.sender.verify(request).delivery_id is None


def test_the_vector_for_our_own_body_verifies():
    request = replace(
        APPROVE.request,
        body=b'{"type":"message","text":"hi"}',
        headers={"authorization": "HMAC OsI22fOxGbRqh5cP8AMgGG80vP5pVkuGv1D1ft388ls="},
    )
    APPROVE.sender.verify(request)


@pytest.mark.parametrize("header", ["Bearer x", "HMAC", "HMAC ", "hmac OsI2", "HMAC OsI2, HMAC OsI2", "HMAC é", ""])
def test_any_other_authorization_is_a_bad_signature(header: str):
    with pytest.raises(BadSignature):
        APPROVE.sender.verify(replace(APPROVE.request, headers={"authorization": header}))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_message_caught_and_sent_again_later_is_stale(minutes: int):
    at = APPROVE.request.received_at + timedelta(minutes=minutes)
    with pytest.raises(StaleTimestamp):
        APPROVE.sender.normalise(replace(APPROVE.request, received_at=at))


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-11-22T12:00:00"},
        {"timestamp": 5},
        {"type": None},
        {"from": None},
        {"from": {"id": "29:1", "name": "Ada Lovelace"}},
        {"from": {"aadObjectId": "../x"}},
    ],
)
def test_what_it_can_not_be_sure_of_is_refused(changes: dict[str, object]):
    with pytest.raises(InvalidEvent):
        normalised(**changes)


@pytest.mark.parametrize(
    "kind", ["typing", "messageReaction", "messageUpdate", "messageDelete", "conversationUpdate", "invoke", "x" * 999]
)
def test_what_is_no_message_is_ignored_by_name_and_nobody_is_answered(kind: str):
    parsed = normalised(type=kind)
    assert parsed.events == ()
    assert parsed.answer
    assert parsed.answer.body == {"events": [], "ignored": f"activities of the type {kind[:100]}"}


@pytest.mark.parametrize("text", [None, "", ["approve"], "<p><at>Registrar</at>&nbsp;</p>"])
def test_a_message_without_words_is_answered_with_the_help(text: object):
    parsed = normalised(text=text)
    assert parsed.events == ()
    assert parsed.answer
    assert "@Registrar approve MODEL" in parsed.answer.body["text"]


QUOTE = '<blockquote itemtype="http://schema.skype.com/Reply"><p>approve nyc-taxi-regressor 9</p></blockquote>'


@pytest.mark.parametrize(
    "text",
    [
        f"{QUOTE}<p><at>Registrar</at> approve nyc-taxi-regressor 3</p>",
        f"<blockquote>{QUOTE * 3}</blockquote><div>approve nyc-taxi-regressor 3</div>",
        "<at id='0'>Registrar</at> approve <s>nyc-taxi-regressor 9</s> nyc-taxi-regressor 3",
        "<AT>Registrar</AT>\r\n<div>approve <strong>nyc-taxi-regressor</strong>&nbsp;v3<br></div>",
        "<at>Registrar</at> approve &#8220;nyc-taxi-regressor&#8221;\u200b 3 <strike>no</strike>",
    ],
)
def test_what_was_quoted_or_struck_out_is_not_asked_for(text: str):
    [event] = normalised(text=text).events
    data = event.data.model_dump()
    assert (event.type, data["model"], data["version"], data["reason"]) == (
        "promotion.approve",
        "nyc-taxi-regressor",
        3,
        None,
    )


@pytest.mark.parametrize("text", [QUOTE, f"<p>look</p>{QUOTE}", "<s>approve nyc-taxi-regressor 3</s>", "<at>" * 50_000])
def test_a_quote_alone_asks_for_nothing(text: str):
    with suppress(InvalidEvent):
        assert normalised(text=text).events == ()


@pytest.mark.parametrize("piece", ["<", "<at", "<at ", "<s>", "<blockquote>", "</s>", "<at>x</at>", "<s><at>"])
def test_no_markup_takes_long_to_read(piece: str):
    began = time.perf_counter()
    with suppress(InvalidEvent):
        normalised(text=piece * (200_000 // len(piece)))
    assert time.perf_counter() - began < 2


def test_a_question_is_refused_with_where_to_ask_it():
    with pytest.raises(InvalidEvent, match="registrar versions"):
        normalised(text="<at>Registrar</at> versions nyc-taxi-regressor")


def test_a_refusal_is_a_message_that_teams_shows():
    with pytest.raises(InvalidEvent) as error:
        normalised(text="<at>Registrar</at> aprove <b>nyc-taxi-regressor</b> 3")
    said = APPROVE.sender.refusal_body(APPROVE.request, error.value)
    assert said is not None
    assert said["type"] == "message"
    assert said["text"].startswith("Not done: aprove is no command")


def test_a_short_key_is_refused_at_start():
    with pytest.raises(WeakSecret):
        verifier.check_secret(schemes.TEAMS, base64.b64encode(b"short").decode())
