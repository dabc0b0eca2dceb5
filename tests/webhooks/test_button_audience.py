"""A button is good for its own kind, source and channel: pressed anywhere else it is nobody's word."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from registrar.policy.references import unresolved
from registrar.policy.routes import Channel
from tests.webhooks.conftest import Receiver
from tests.webhooks.test_chats_app import POLICY, buttons, interact_by_press, notice, press, receiver, recorded
from webhooks.app import create_app
from worker.notifications import fact_card
from worker.notifications.notifiers import slack

HERE, THERE = "i" * 26, "j" * 26
__all__ = ["receiver"]


def in_slack(receiver: Receiver, **more: Any) -> list[dict]:
    message = slack.message(notice("slack", **more), Encryptor(receiver.settings.secret_key))
    return next(block["elements"] for block in message["blocks"] if block["type"] == "actions")


def press_in_slack(receiver: Receiver, action: dict, *, channel: str = "C1"):
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "team_id": "T1"},
        "channel": {"id": channel},
        "response_url": "https://hooks.slack.com/actions/x",
        "actions": [action],
    }
    return receiver.slack(urlencode({"payload": json.dumps(payload)}).encode())


def test_a_slack_button_posted_unsigned_to_mattermost_is_nobodys_press(receiver):
    """The value is there for everybody in the Slack channel to read, and Mattermost's presses are not signed."""
    for action in in_slack(receiver):
        assert press(receiver, {"sealed": action["value"]}).status_code == 401
    assert receiver.events() == []


def test_a_button_counts_by_way_of_its_own_source_alone(receiver):
    approve, _ = buttons(receiver)
    of_the_other, _ = buttons(receiver, source="other-team")
    assert press(receiver, approve, to="other-team").status_code == 401
    assert press(receiver, of_the_other).status_code == 401
    assert press(receiver, of_the_other, to="other-team").status_code == 401  # the channel's presses go elsewhere
    assert receiver.events() == []
    assert press(receiver, approve).status_code == 200


def test_a_button_of_a_bots_channel_counts_in_that_channel_alone(receiver):
    in_mattermost, _ = buttons(receiver, options={"channel_id": HERE})
    action, _ = in_slack(receiver, options={"channel": "C0123"})
    in_discord = notice("discord", url="https://discord.com/api/v10/channels/7/messages")
    for at in ({}, {"channel_id": THERE}, {"channel_id": ""}):
        assert press(receiver, in_mattermost, **at).status_code == 401
    press_in_slack(receiver, action, channel="C0124")
    interact_by_press(receiver, 0, posted=in_discord, channel_id="8")
    assert receiver.events() == []
    press(receiver, in_mattermost, channel_id=HERE)
    press_in_slack(receiver, action, channel="C0123")
    interact_by_press(receiver, 0, posted=in_discord, channel_id="7")
    assert [source for source, _, _ in recorded(receiver)] == ["mattermost", "slack", "discord"]


def test_a_channel_that_stands_elsewhere_in_a_press_is_not_where_it_was_pressed(receiver):
    """The seal is opened for the channel as it stands in the bytes, before the JSON around it is parsed."""
    approve, _ = buttons(receiver, options={"channel_id": HERE})
    assert press(receiver, {**approve, "channel_id": HERE}, channel_id=THERE).status_code == 401
    assert press(receiver, {**approve, "channel_id": HERE}).status_code == 401
    assert receiver.events() == []


def test_a_button_of_a_channel_that_is_no_more_does_not_count(receiver):
    approve, _ = buttons(receiver)
    gone = create_app(receiver.settings, policy=POLICY.model_copy(update={"channels": {}})).test_client()
    assert press(replace(receiver, client=gone), approve).status_code == 401
    assert press(receiver, approve).status_code == 200


def test_a_button_from_before_they_had_audiences_does_not_count_and_says_what_does(receiver, letters):
    said = fact_card.button_content("approve", notice("slack"), nonce=approval_buttons.nonce("approve", "tsk_1"))
    old = Fernet(receiver.settings.secret_key).encrypt(json.dumps(said).encode()).decode()
    assert press(receiver, {"sealed": old}).status_code == 401
    press_in_slack(receiver, {"action_id": "registrar.approve", "value": old})
    assert receiver.events() == []
    assert letters[0].body["text"].endswith("use the slash command")


def test_a_source_of_another_kind_takes_no_presses_and_a_channel_says_so():
    policy = POLICY.model_copy(update={"channels": {"town": Channel(kind="mattermost", buttons="slack")}})
    assert unresolved(policy) == [
        (
            ("channels", "town", "buttons"),
            "'slack' does not take button presses of kind mattermost; mattermost or other-team does",
        )
    ]
    assert policy.presses("town") is None
