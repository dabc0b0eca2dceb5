"""What is special about Mattermost: nothing is signed; a token knows a command, and our own seal knows a press."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.config.encryption import Encryptor
from registrar.config.key_generation import new_key
from registrar.events.approval_buttons import Audience
from tests.sources.captured import FIXTURES, read
from webhooks.ingress.errors import BadSignature, InvalidEvent, Rejected
from webhooks.ingress.source_types import Parsed, Request

COMMAND = read(FIXTURES / "mattermost" / "command__approve.http")
PRESS = read(FIXTURES / "mattermost" / "press__approve.http")
ENCRYPTOR = PRESS.sender.context.encryptor
TOKEN = COMMAND.sender.context.secrets[0]
PRESSED = json.loads(PRESS.request.body)
AUDIENCE = Audience("mattermost", "mattermost", "town-square").at(PRESSED["channel_id"])
SAID = ENCRYPTOR.decrypt(PRESSED["context"]["sealed"], audience=AUDIENCE)


def typed(**fields: str) -> Request:
    """The captured command with some of its fields changed."""
    return replace(
        COMMAND.request, body=urlencode({**dict(parse_qsl(COMMAND.request.body.decode())), **fields}).encode()
    )


def sealed(said: dict[str, object]) -> str:
    return ENCRYPTOR.encrypt(said, audience=AUDIENCE)


def pressed(value: object = None, **fields: object) -> Request:
    """The captured press with some of its fields changed."""
    content = {**json.loads(PRESS.request.body), **fields}
    return replace(PRESS.request, body=json.dumps(content if value is None else context(value, content)).encode())


def context(sealed: object, content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "context": {"sealed": sealed}}


def normalise(request: Request) -> Parsed:
    PRESS.sender.verify(request)
    return PRESS.sender.normalise(request)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Token",
        f"Bearer {TOKEN}",
        TOKEN,
        f"Token {TOKEN} ",
        f"Token {TOKEN}, Token {TOKEN}",
        "Token é",
        "Token \udcff",
    ],
)
def test_a_token_in_the_body_alone_is_a_bad_signature(authorization: str):
    with pytest.raises(BadSignature):
        COMMAND.sender.verify(replace(COMMAND.request, headers={"authorization": authorization}))


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_a_token_in_the_header_alone_is_a_bad_signature(token: str):
    with pytest.raises(BadSignature):
        COMMAND.sender.verify(typed(token=token))


@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=26, max_size=26),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100),
)
def test_each_of_two_live_tokens_is_known_and_no_other(other: str, text: str):
    both = replace(COMMAND.sender.context, secrets=(other, TOKEN))
    for token in both.secrets:
        verified = replace(typed(text=text, token=token), headers={"authorization": f"Token {token}"})
        assert COMMAND.sender.kind.verify(verified, both).delivery_id is None
    if other != TOKEN:
        with pytest.raises(BadSignature):
            COMMAND.sender.verify(replace(typed(token=other), headers={"authorization": f"Token {other}"}))


@given(st.binary(max_size=500))
def test_no_body_without_token_or_seal_is_verified(body: bytes):
    for captured in (COMMAND, PRESS):
        with pytest.raises(BadSignature):
            captured.sender.verify(replace(captured.request, body=body))


@pytest.mark.parametrize(
    "sealed", ["", "gAAAAA", 5, ["x"], {}, "é", Encryptor(new_key()).encrypt(SAID, audience=AUDIENCE)]
)
def test_a_press_without_our_seal_is_a_bad_signature(sealed: object):
    with pytest.raises(BadSignature):
        PRESS.sender.verify(pressed(sealed))
    with pytest.raises(BadSignature):
        PRESS.sender.normalise(pressed(sealed))


@pytest.mark.parametrize("content", [{}, {"context": None}, {"context": []}, {"context": {"sealed": None}}])
def test_a_press_without_context_is_a_bad_signature(content: dict[str, object]):
    with pytest.raises(BadSignature):
        PRESS.sender.verify(replace(PRESS.request, body=json.dumps(content).encode()))


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "mattermost", "url": "https://chat.example.com/x"},
        {name: SAID[name] for name in ("promotion", "model", "version", "target")},
        {**SAID, "press": "model_version.archive"},
        {**SAID, "press": "promotion.approved"},
        {**SAID, "press": None},
        {**SAID, "nonce": None},
        {**SAID, "version": None},
        {**SAID, "target": "Moon"},
        {**SAID, "promotion": "prm_x"},
    ],
)
def test_a_sealed_text_of_another_use_is_no_button(said: dict[str, object]):
    with pytest.raises(InvalidEvent):
        normalise(pressed(sealed(said)))


def test_a_second_press_of_the_same_person_is_the_same_delivery_whatever_mattermost_adds():
    first, second = normalise(PRESS.request), normalise(pressed(trigger_id="another", channel_name="renamed"))
    assert (first.delivery_id, first.digest) == (second.delivery_id, second.digest)
    posted_again = normalise(pressed(sealed(SAID)))
    assert (first.delivery_id, first.digest) == (posted_again.delivery_id, posted_again.digest)


def test_a_second_person_may_press_the_same_button():
    """Four eyes: a nonce alone would count for one person only."""
    other = normalise(pressed(user_id="rd49ehbqyjytddasoownkuqrxe"))
    assert other.delivery_id != normalise(PRESS.request).delivery_id


@pytest.mark.parametrize("user", [None, "", 5, "../x", "ada", "A" * 26, "a" * 27])
def test_a_press_by_nobody_is_refused(user: object):
    with pytest.raises(InvalidEvent, match="user_id"):
        normalise(pressed(user_id=user))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://evil.example/x",
        "http://chat.example.com/x",
        "https://chat.example.com@evil.example/",
        "javascript:1",
    ],
)
def test_only_the_configured_host_is_answered_to(url: str):
    with pytest.raises(InvalidEvent, match=r"sources\.mattermost\.reply_to"):
        normalise(typed(response_url=url))


def test_without_reply_to_no_host_is_answered_to():
    config = COMMAND.sender.context.config.model_copy(update={"reply_to": []})
    with pytest.raises(InvalidEvent, match=r"sources\.mattermost\.reply_to"):
        COMMAND.sender.kind.normalise(COMMAND.request, replace(COMMAND.sender.context, config=config))


def test_a_name_that_would_forge_a_log_line_is_cleaned():
    [event] = normalise(typed(user_id="rd49ehbqyjytddasoownkuqrxe", user_name="eve\n\u202eroot")).events
    assert event.actor.name == "eve??root"


def test_what_is_shown_calls_nobody():
    parsed = normalise(typed(text="versions @channel<!here>_x_"))
    assert parsed.answer is not None
    assert "@\u200bchannel<\u200b!here\\>\\_x\\_" in parsed.answer.body["text"]


@pytest.mark.parametrize(("request_", "place"), [(COMMAND.request, "text"), (PRESS.request, "ephemeral_text")])
def test_a_refusal_is_told_where_mattermost_shows_it(request_: Request, place: str):
    said = PRESS.sender.refusal_body(request_, InvalidEvent("no *such* thing"))
    assert said is not None
    assert said[place] == "Not done: no \\*such\\* thing"


@pytest.mark.parametrize("body", [b"text=help", b"command=%2Fregistry&command=%2Fregistry", b"user_mentions=a"])
def test_what_is_no_command_is_refused(body: bytes):
    with pytest.raises(Rejected):
        COMMAND.sender.normalise(replace(COMMAND.request, body=body))
