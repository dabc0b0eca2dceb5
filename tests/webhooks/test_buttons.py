"""A button holds for what was shown, until when it says, and once for each person: the same for every chat system."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from registrar.events import approval_buttons as making
from tests.sources.captured import sender
from webhooks.chat import buttons
from webhooks.ingress.errors import InvalidEvent, StaleTimestamp
from webhooks.ingress.source_types import Request

KINDS = ["slack", "mattermost", "discord"]
PINNED = {"promotion": "prm_" + "0" * 32, "model": "taxi", "version": 3, "target": "Production"}
SLACK, NOW = sender("slack")
REQUEST = Request({}, b"", "application/json", NOW)
SAID = making.content("approve", nonce="tsk_1.approve", until=NOW + timedelta(days=1), pinned=PINNED)


def pressed(said: dict, *, days: int = 30, after: timedelta = timedelta(), by: str = "U1") -> buttons.Press:
    context = replace(SLACK.context, options=buttons.Options(button_days=days))
    return buttons.press_of(said, by=by, request=replace(REQUEST, received_at=NOW + after), context=context)


@pytest.mark.parametrize("kind", KINDS)
def test_every_chat_with_buttons_lets_them_age(kind):
    assert sender(kind)[0].kind.Options is buttons.Options


def test_a_button_counts_until_it_says_and_not_a_second_longer():
    pressed(SAID, after=timedelta(days=1))
    with pytest.raises(StaleTimestamp, match=r"expired at 2018-07-13 18:36 UTC; use the slash command"):
        pressed(SAID, after=timedelta(days=1, seconds=1))


def test_registrar_yml_can_make_it_less_and_never_more():
    posted = {**SAID, "until": int((NOW + making.LIFE).timestamp())}
    pressed(posted, days=7, after=timedelta(days=7))
    with pytest.raises(StaleTimestamp):
        pressed(posted, days=7, after=timedelta(days=7, seconds=1))
    with pytest.raises(ValidationError):
        buttons.Options(button_days=31)


def test_each_person_has_one_press_of_each_button():
    first = pressed(SAID)
    assert pressed(dict(reversed(SAID.items()))) == first
    assert pressed(SAID, by="U2").delivery_id != first.delivery_id
    assert pressed({**SAID, "nonce": "tsk_1.reject"}).delivery_id != first.delivery_id
    assert pressed({**SAID, "version": 4}).digest != first.digest


@pytest.mark.parametrize("name", SAID)
def test_a_button_that_lacks_something_is_refused(name):
    with pytest.raises(InvalidEvent, match=f"has no {name}"):
        pressed({key: value for key, value in SAID.items() if key != name})


@pytest.mark.parametrize(
    "wrong",
    [
        {"press": "model_version.archive"},
        {"press": ["promotion.approve"]},
        {"nonce": 5},
        {"until": "tomorrow"},
        {"until": True},
        {"version": "x"},
        {"target": "Moon"},
        {"promotion": "prm_x"},
    ],
)
def test_what_is_no_buttons_content_is_refused(wrong):
    with pytest.raises(InvalidEvent):
        pressed({**SAID, **wrong})
