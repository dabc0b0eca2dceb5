"""Only what is this kind's own; the rest is in the fixtures."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from tests.sources.captured import sender
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Parsed, Request

FORM = "application/x-www-form-urlencoded"
PINNED = {"promotion": "prm_" + "0" * 32, "model": "taxi", "version": 3, "target": "Production"}
SAID = approval_buttons.content(
    "approve", nonce="tsk_1.approve", until=sender("slack")[1] + timedelta(days=1), pinned=PINNED
)
AUDIENCE = approval_buttons.Audience("slack", "slack", "team").at(None)
WHO = {"team_id": "T1", "user_id": "U1", "user_name": "eve"}


def normalise(fields: dict[str, str], content_type: str = FORM) -> Parsed:
    who, now = sender("slack")
    return who.normalise(Request({}, urlencode(fields).encode(), content_type, now))


def press(value: str, **more: object) -> Parsed:
    action = {"action_id": "registrar.approve", "value": value}
    payload = {"type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "actions": [action], **more}
    return normalise({"payload": json.dumps(payload)})


def encryptor() -> Encryptor:
    return sender("slack")[0].context.encryptor


def test_a_button_of_another_installation_is_refused():
    with pytest.raises(InvalidEvent, match="not one of this installation's"):
        press(Encryptor("A" * 43 + "=").encrypt(SAID, audience=AUDIENCE))


@pytest.mark.parametrize("name", SAID)
def test_a_sealed_text_of_another_use_is_no_button(name: str):
    with pytest.raises(InvalidEvent, match=f"has no .*{name}"):
        press(encryptor().encrypt({key: value for key, value in SAID.items() if key != name}, audience=AUDIENCE))


def test_a_press_without_trigger_and_address_is_still_an_event():
    parsed = press(encryptor().encrypt(SAID, audience=AUDIENCE))
    assert (parsed.delivery_id, parsed.events[0].reply_to) == ("tsk_1.approve:T1/U1", None)


def test_a_second_press_of_the_same_person_is_the_same_delivery_whatever_slack_adds():
    first, second = (press(encryptor().encrypt(SAID, audience=AUDIENCE), trigger_id=nth) for nth in ("1.a", "2.b"))
    assert (first.delivery_id, first.digest) == (second.delivery_id, second.digest)
    assert press(encryptor().encrypt(SAID, audience=AUDIENCE), user={"id": "U2"}).delivery_id != first.delivery_id


def test_the_value_of_another_button_is_refused():
    with pytest.raises(InvalidEvent, match="another button's"):
        press(encryptor().encrypt({**SAID, "press": "promotion.reject"}, audience=AUDIENCE))


def test_two_buttons_are_not_pressed_at_once():
    action = {"action_id": "registrar.approve", "value": encryptor().encrypt(SAID, audience=AUDIENCE)}
    with pytest.raises(InvalidEvent, match="several actions"):
        press("", actions=[action, action])


def test_an_address_that_is_not_slacks_is_refused():
    with pytest.raises(InvalidEvent, match="not one of this chat system's"):
        press(encryptor().encrypt(SAID, audience=AUDIENCE), response_url="https://evil.example/x")


def test_a_name_that_would_forge_a_log_line_is_cleaned():
    parsed = normalise({"command": "/registry", "text": "models", **WHO, "user_name": "eve\n\u202eroot"})
    assert parsed.events[0].actor.name == "eve??root"


def test_what_slack_shows_is_escaped():
    parsed = normalise({"command": "/registry", "text": "versions <!channel>&", **WHO})
    assert parsed.answer is not None
    assert "&lt;!channel&gt;&amp;" in parsed.answer.body["text"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"type": "event_callback", "event": {"type": "app_mention", "text": "approve taxi 3"}}, "app_mention"),
        ({"type": "event_callback"}, "event_callback"),
        ({"type": "app_rate_limited"}, "app_rate_limited"),
    ],
)
def test_slacks_other_events_are_ignored_by_name(content: dict[str, object], name: str):
    """Refused, each would come three times more, and Slack would end the subscription."""
    who, now = sender("slack")
    parsed = who.normalise(Request({}, json.dumps(content).encode(), "application/json", now))
    assert parsed.events == ()
    assert parsed.answer
    assert parsed.answer.body["ignored"].startswith(f"events of the kind {name}; unsubscribe")


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "view_submission", "view": {"id": "V1", "state": {"values": {}}}},
        {"type": "view_closed", "view": {"id": "V1"}, "is_cleared": False},
        {"type": "shortcut", "callback_id": "new_task", "trigger_id": "1.2.a"},
        {"type": "message_action", "callback_id": "approve", "message": {"text": "approve taxi 3"}},
        {"type": "block_actions", "view": {"id": "V1"}, "actions": [{"action_id": "pick", "type": "static_select"}]},
        {"type": "block_actions", "container": {"type": "view"}, "actions": []},
        {"type": "interactive_message", "actions": [{"name": "registrar.approve", "value": "x"}]},
        {"type": "dialog_submission", "submission": {"text": "approve taxi 3"}},
        {"type": "dialog_cancellation", "callback_id": "x"},
        {"type": "workflow_step_edit", "workflow_step": {"inputs": {}}},
        {"type": "what Slack will have next year"},
    ],
)
def test_what_else_an_app_has_is_heard_and_does_nothing(payload: dict[str, object]):
    """{} closes a form, leaves a message as it is, and shows nobody that something failed."""
    parsed = normalise({"payload": json.dumps({"user": {"id": "U1", "team_id": "T1"}, **payload})})
    assert parsed.events == ()
    assert parsed.answer
    assert (parsed.answer.status, parsed.answer.body) == (200, {})


def test_a_menu_of_somebody_elses_has_nothing_to_offer():
    parsed = normalise({"payload": json.dumps({"type": "block_suggestion", "action_id": "pick", "value": "ta"})})
    assert parsed.answer
    assert parsed.answer.body == {"options": []}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("runs taxi metrics.rmse &lt; 7 and params.a = 'b&amp;c'", "metrics.rmse < 7 and params.a = 'b&c'"),
        ("runs <http://taxi.nyc|taxi.nyc> tags.by = '<@U1|ada>'", "tags.by = 'ada'"),
        ("runs \u2018taxi rides\u2019 metrics.rmse &gt; 1", "metrics.rmse > 1"),
        ("\u00a0runs\u2003\u201ctaxi rides\u201d\u200b metrics.rmse &gt; 1", "metrics.rmse > 1"),
    ],
)
def test_what_slack_writes_for_what_was_typed_is_undone(typed: str, said: str):
    [event] = normalise({"command": "/registry", "text": typed, **WHO}).events
    assert event.data.model_dump()["filter_string"] == said
    assert event.data.model_dump()["experiment"] in ("taxi", "taxi.nyc", "taxi rides")
