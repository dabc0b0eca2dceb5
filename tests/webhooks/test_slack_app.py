"""Slack through the whole receiver: what a person is shown, and what the record says."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from registrar.config.encryption import REPLY, Encryptor
from registrar.events import approval_buttons as buttons
from registrar.ledger.capacity import NoCapacity
from tests.webhooks.conftest import SLACK, Receiver

AUDIENCE = buttons.Audience("slack", "slack", "slack").at(None)
WHO = {"command": "/registry", "team_id": "T1", "user_id": "U1", "user_name": "ada", "trigger_id": "1.2.a"}


def slash(receiver: Receiver, text: str, **more: str):
    return receiver.slack(urlencode({**WHO, "text": text, **more}).encode())


def press(
    receiver: Receiver,
    value: str,
    *,
    trigger: str = "1.2.b",
    user: str = "U1",
    address: str | None = "https://hooks.slack.com/actions/x",
):
    action = {"action_id": "registrar.approve", "value": value}
    payload = {
        "type": "block_actions",
        "user": {"id": user, "team_id": "T1"},
        "trigger_id": trigger,
        "response_url": address,
        "actions": [action],
    }
    return receiver.slack(urlencode({"payload": json.dumps(payload)}).encode())


def button(receiver: Receiver, *, until: datetime | None = None, **said: object) -> str:
    pinned = {"promotion": "prm_" + "0" * 32, "model": "nyc-taxi-regressor", "version": 3, "target": "Production"}
    until = until or datetime.now(UTC) + timedelta(days=1)
    content = buttons.content("approve", nonce="tsk_1.approve", until=until, pinned={**pinned, **said})
    return Encryptor(receiver.settings.secret_key).encrypt(content, audience=AUDIENCE)


def test_a_press_is_an_event_of_the_person_with_a_sealed_address(receiver):
    answer = press(receiver, button(receiver))
    [event] = receiver.events()
    assert (answer.status_code, answer.json) == (200, {})
    assert (event.type, event.actor, event.delivery_id) == ("promotion.approve", "ada", "tsk_1.approve:T1/U1")
    assert "hooks.slack.com" not in event.reply_to
    assert (
        Encryptor(receiver.settings.secret_key).decrypt(event.reply_to, audience=REPLY)["url"]
        == "https://hooks.slack.com/actions/x"
    )


def test_a_button_counts_once_for_each_person_however_often_it_is_pressed(receiver):
    until = datetime.now(UTC) + timedelta(days=1)
    # Sealed anew, as in a message that was posted twice.
    values = [button(receiver, until=until) for _ in range(2)]
    presses = [press(receiver, value, trigger=f"1.2.{nth}") for nth, value in enumerate([*values, values[0]])]
    presses.append(press(receiver, values[0], user="U2"))
    assert [answer.status_code for answer in presses] == [200] * 4
    assert [event.actor for event in receiver.events()] == ["ada", "slack:T1/U2"]
    assert receiver.rejections() == []


def test_an_old_button_changes_nothing_and_the_person_is_told_where_slack_shows_it(receiver, letters):
    answer = press(receiver, button(receiver, until=datetime.now(UTC) - timedelta(seconds=1)))
    assert (answer.status_code, answer.json, receiver.events()) == (200, {}, [])
    assert receiver.rejections() == [("slack", 401, "stale_timestamp")]
    [letter] = letters
    assert letter.url == "https://hooks.slack.com/actions/x"
    assert (letter.body["response_type"], letter.body["replace_original"]) == ("ephemeral", False)
    assert "use the slash command" in letter.body["text"]


@pytest.mark.parametrize("address", [None, "https://evil.example/actions/x"])
def test_a_press_whose_sender_can_be_told_nothing_is_a_200_and_stands_in_the_rejections(receiver, letters, address):
    answer = press(receiver, "gAAAAA-made-up", address=address)
    assert (answer.status_code, letters, receiver.events()) == (200, [], [])
    assert answer.json["refused"].startswith("this button is not one of this installation's")
    assert receiver.rejections() == [("slack", 422, "invalid_event")]


def test_a_press_without_an_address_that_is_not_granted_is_a_200_with_the_reason(receiver):
    answer = press(receiver, button(receiver, model="churn"), address=None)
    assert (answer.status_code, receiver.events()) == (200, [])
    assert "add an entry to sources.slack.may" in answer.json["refused"]
    assert receiver.rejections() == [("slack", 403, "not_permitted")]


def test_a_press_without_an_address_that_can_not_be_taken_now_stays_a_failure(receiver, monkeypatch):
    monkeypatch.setattr("registrar.ledger.inbox.Inbox.submit", lambda self, submission: _full())
    assert press(receiver, button(receiver), address=None).status_code == 503


def _full():
    raise NoCapacity("100 tasks wait")


def test_a_slash_command_is_answered_at_once_to_the_person_alone(receiver):
    answer = slash(receiver, "approve nyc-taxi-regressor 3")
    assert (answer.status_code, answer.json["response_type"]) == (200, "ephemeral")
    assert answer.json["text"].startswith("On it: approving nyc-taxi-regressor version 3 for Production.")
    assert len(receiver.events()) == len(receiver.tasks()) == 1


def test_help_is_answered_without_an_event(receiver):
    assert "/registry versions MODEL" in slash(receiver, "help").json["text"]
    assert receiver.events() == receiver.rejections() == []


def test_a_wrong_slash_command_is_told_to_the_person_and_recorded_as_what_it_is(receiver):
    answer = slash(receiver, "archive nyc-taxi-regressor")
    assert (answer.status_code, answer.json["response_type"]) == (200, "ephemeral")
    assert answer.json["text"].startswith("Not done: version is missing. Use: /registry archive")
    assert receiver.rejections() == [("slack", 422, "invalid_event")]


def test_a_slash_command_that_is_not_granted_is_told_to_the_person(receiver):
    assert "add an entry to sources.slack.may" in slash(receiver, "versions churn").json["text"]
    assert receiver.rejections() == [("slack", 403, "not_permitted")]
    assert receiver.events() == []


def test_a_press_that_is_not_granted_is_told_and_recorded(receiver, letters):
    assert press(receiver, button(receiver, model="churn")).json == {}
    assert "add an entry to sources.slack.may" in letters[0].body["text"]
    assert receiver.rejections() == [("slack", 403, "not_permitted")]


def test_a_made_up_button_is_told_and_recorded(receiver, letters):
    assert press(receiver, "gAAAAA-made-up").json == {}
    assert letters[0].body["text"].startswith("Not done: this button is not one of this installation's")
    assert receiver.rejections() == [("slack", 422, "invalid_event")]


def test_a_slash_command_with_a_bad_signature_is_401_and_not_a_polite_200(receiver):
    answer = receiver.slack(urlencode({**WHO, "text": "models"}).encode(), secret=SLACK + "x")
    assert answer.status_code == 401


def test_a_question_about_no_model_needs_a_grant_on_all(receiver):
    slash(receiver, "models")
    assert receiver.rejections() == [("slack", 403, "not_permitted")]
