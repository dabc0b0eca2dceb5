"""Mattermost, Teams and Discord through the whole receiver: a press or a command is an event of that person."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registrar.config.encryption import REPLY, Encryptor
from registrar.config.settings import Settings
from registrar.events.approval_buttons import Audience
from registrar.events.outcome import Fact
from registrar.ledger import Ledger
from registrar.policy import Policy
from tests.webhooks.conftest import SLACK, Receiver
from webhooks.app import create_app
from worker.notifications.notifiers import Notification, discord, mattermost

TOKEN, ADA, GRACE = "okwexkjpe7ygb8eq1ww58t483w", "aoa1agao6t8fmx3ikt1j9w5ybw", "q5s3b7xzgprp5eid8h66j9epsy"
TEAMS = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA="
DISCORD = Ed25519PrivateKey.generate()
OPENED = {"promotion": "prm_" + "0" * 32, "target": "Production", "requested_by": "ci", "commit": None}
ASKED = Fact(
    "promotion.awaiting_approval",
    "nyc-taxi-regressor version 3 waits",
    "nyc-taxi-regressor",
    3,
    {**OPENED, "replaces": [], "metrics": {}, "gates": []},
)
MAY = [{"events": ["promotion.*", "registry.query"], "models": ["nyc-taxi-*"]}]
POLICY = Policy.model_validate(
    {
        "version": 1,
        "sources": {
            "mattermost": {"kind": "mattermost", "secrets": ["env:MM"], "reply_to": ["chat.example.com"], "may": MAY},
            "teams": {"kind": "teams", "secrets": ["env:TEAMS"], "may": MAY},
            "discord": {"kind": "discord", "secrets": ["env:DISCORD"], "may": MAY},
            "slack": {"kind": "slack", "secrets": ["env:SLACK"], "may": MAY},
            "other-team": {"kind": "mattermost", "secrets": ["env:MM"], "may": MAY},
        },
        "people": {
            "ada": {
                "name": "Ada",
                "accounts": {"mattermost": ADA, "teams": "3f2c1d9e-7a4b", "discord": "53908232506183680"},
            },
            "grace": {"name": "Grace", "accounts": {"mattermost": GRACE}},
        },
        "channels": {
            "mattermost": {"kind": "mattermost", "buttons": "mattermost"},
            "slack": {"kind": "slack"},
            "discord": {"kind": "discord"},
        },
    }
)


@pytest.fixture
def receiver(ledger: Ledger, settings: Settings) -> Receiver:
    public = DISCORD.public_key().public_bytes_raw().hex()
    settings = replace(settings, environ={"MM": TOKEN, "TEAMS": TEAMS, "DISCORD": public, "SLACK": SLACK})
    return Receiver(create_app(settings, policy=POLICY).test_client(), ledger, settings)


def typed(receiver: Receiver, text: str, *, token: str = TOKEN):
    address = "https://chat.example.com/hooks/commands/x"
    said = {"command": "/registry", "text": text, "token": token, "user_id": ADA, "response_url": address}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Token {token}"}
    return receiver.post(urlencode(said).encode(), headers, to="mattermost")


def notice(kind: str, *, until: timedelta = timedelta(days=1), source: str | None = None, **more: Any) -> Notification:
    """For a channel that is named like its kind."""
    now, presses = datetime.now(UTC), Audience(kind, source or kind, kind)
    said = {
        "url": None,
        "secret": "bot",
        "buttons_url": "https://registrar.example.com/x",
        "button_audience": presses,
        **more,
    }
    return Notification("tsk_1", ASKED, "evt_1", now, until=now + until, **said)


def buttons(receiver: Receiver, **more: Any) -> list[dict]:
    message = mattermost.message(notice("mattermost", **more), Encryptor(receiver.settings.secret_key))
    return [action["integration"]["context"] for action in message["attachments"][0]["actions"]]


def press(receiver: Receiver, context: dict, *, to: str = "mattermost", user: str = ADA, **more: str):
    content = {"user_id": user, "user_name": "x", "post_id": "p", "trigger_id": "t1", "context": context, **more}
    return receiver.post(json.dumps(content).encode(), {"Content-Type": "application/json"}, to=to)


def mention(receiver: Receiver, text: str):
    said = {
        "type": "message",
        "id": "1",
        "timestamp": datetime.now(UTC).isoformat(),
        "text": f"<at>Registrar</at> {text}",
    }
    body = json.dumps({**said, "from": {"aadObjectId": "3f2c1d9e-7a4b", "name": "x"}}).encode()
    mac = base64.b64encode(hmac.new(base64.b64decode(TEAMS), body, hashlib.sha256).digest()).decode()
    return receiver.post(body, {"Content-Type": "application/json", "Authorization": f"HMAC {mac}"}, to="teams")


def interact(receiver: Receiver, *, key: Ed25519PrivateKey = DISCORD, **content: object):
    who = {"member": {"user": {"id": "53908232506183680", "username": "x"}}}
    body = json.dumps({"id": "7", "application_id": "8", "token": "aW50", **who, **content}).encode()
    at = str(int(datetime.now(UTC).timestamp()))
    made = {"X-Signature-Ed25519": key.sign(at.encode() + body).hex(), "X-Signature-Timestamp": at}
    return receiver.post(body, {"Content-Type": "application/json", **made}, to="discord")


def interact_by_press(receiver: Receiver, nth: int, *, posted: Notification | None = None, **more: object):
    message = discord.message(posted or notice("discord"), Encryptor(receiver.settings.secret_key))
    return interact(receiver, type=3, message=message, data=message["components"][0]["components"][nth], **more)


def recorded(receiver: Receiver) -> list[tuple[str, str, str]]:
    return [(event.source, event.type, event.actor) for event in receiver.events()]


def test_a_command_in_mattermost_is_an_event_of_the_person_with_a_sealed_address(receiver):
    answer = typed(receiver, "approve nyc-taxi-regressor 3")
    assert (answer.status_code, answer.json["response_type"]) == (200, "ephemeral")
    assert recorded(receiver) == [("mattermost", "promotion.approve", "ada")]
    assert "chat.example.com" not in receiver.events()[0].reply_to


def test_a_command_in_mattermost_with_another_token_is_401(receiver):
    assert typed(receiver, "approve nyc-taxi-regressor 3", token="x" * 26).status_code == 401
    assert receiver.rejections() == [("mattermost", 401, "bad_signature")]


def test_a_wrong_command_in_mattermost_is_told_to_the_person_and_recorded_as_what_it_is(receiver):
    answer = typed(receiver, "archive nyc-taxi-regressor")
    assert answer.status_code == 200
    assert answer.json["text"].startswith("Not done: version is missing. Use: /registry archive")
    assert receiver.rejections() == [("mattermost", 422, "invalid_event")]


def test_a_button_that_the_notifier_posted_counts_once_for_each_person(receiver):
    approve, _ = buttons(receiver)
    answers = [press(receiver, approve, trigger_id=trigger) for trigger in ("t1", "t2", "t3")]
    answers.append(press(receiver, approve, user=GRACE))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json["ephemeral_text"] for answer in answers}) == 1
    assert recorded(receiver) == [("mattermost", "promotion.approve", who) for who in ("ada", "grace")]
    assert receiver.rejections() == []


def test_a_press_in_mattermost_pins_what_was_shown(receiver):
    press(receiver, buttons(receiver)[1])
    [event] = receiver.events()
    assert (event.type, event.data["promotion"], event.data["version"]) == ("promotion.reject", OPENED["promotion"], 3)


def test_a_made_up_press_in_mattermost_is_401(receiver):
    assert press(receiver, {"sealed": "gAAAAA-made-up"}).status_code == 401
    assert receiver.events() == []


def test_a_message_in_teams_is_an_event_of_the_person(receiver):
    answer = mention(receiver, "approve&nbsp;nyc-taxi-regressor 3")
    assert (answer.status_code, answer.json["type"]) == (200, "message")
    assert recorded(receiver) == [("teams", "promotion.approve", "ada")]
    assert receiver.events()[0].reply_to is None


def test_a_message_in_teams_that_is_not_granted_is_told_to_the_person(receiver):
    answer = mention(receiver, "approve churn 3")
    assert (answer.status_code, answer.json["type"]) == (200, "message")
    assert "add an entry to sources.teams.may" in answer.json["text"]
    assert receiver.rejections() == [("teams", 403, "not_permitted")]


def test_a_command_in_discord_is_an_event_of_the_person_with_a_sealed_address(receiver):
    said = {"name": "text", "type": 3, "value": "approve nyc-taxi-regressor 3"}
    answer = interact(receiver, type=2, data={"name": "registry", "type": 1, "options": [said]})
    assert (answer.status_code, answer.json["type"], answer.json["data"]["flags"]) == (200, 4, 64)
    assert recorded(receiver) == [("discord", "promotion.approve", "ada")]
    [event] = receiver.events()
    assert Encryptor(receiver.settings.secret_key).decrypt(event.reply_to, audience=REPLY) == {
        "kind": "discord",
        "url": "https://discord.com/api/v10/webhooks/8/aW50",
    }


def test_a_button_that_the_notifier_posted_in_discord_pins_what_was_shown(receiver):
    assert interact_by_press(receiver, 1).json["data"]["content"].startswith("On it: rejecting")
    [event] = receiver.events()
    assert (event.type, event.actor) == ("promotion.reject", "ada")
    assert (event.data["promotion"], event.data["model"]) == (OPENED["promotion"], "nyc-taxi-regressor")


def test_a_button_in_discord_counts_once_for_each_person(receiver):
    posted, grace = notice("discord"), {"member": {"user": {"id": "1", "username": "g"}}}
    for id in ("7", "8"):
        assert interact_by_press(receiver, 0, posted=posted, id=id).status_code == 200
    interact_by_press(receiver, 0, posted=posted, id="9", **grace)
    assert [actor for _, _, actor in recorded(receiver)] == ["ada", "discord:1"]
    assert receiver.rejections() == []


def test_an_old_button_is_told_to_the_person_and_changes_nothing(receiver):
    in_discord = interact_by_press(receiver, 0, posted=notice("discord", until=-timedelta(seconds=1)))
    in_mattermost = press(receiver, buttons(receiver, until=-timedelta(seconds=1))[0])
    said = [in_discord.json["data"]["content"], in_mattermost.json["ephemeral_text"]]
    assert all("use the slash command" in text for text in said)
    assert recorded(receiver) == []


def test_discords_ping_is_answered_and_one_with_a_bad_signature_is_401(receiver):
    assert interact(receiver, type=1).json == {"type": 1}
    assert interact(receiver, type=1, key=Ed25519PrivateKey.generate()).status_code == 401
    assert receiver.events() == []


def test_a_command_in_discord_that_is_not_granted_is_told_to_the_person(receiver):
    said = {"name": "text", "type": 3, "value": "versions churn"}
    answer = interact(receiver, type=2, data={"name": "registry", "type": 1, "options": [said]})
    assert (answer.status_code, answer.json["type"]) == (200, 4)
    assert "add an entry to sources.discord.may" in answer.json["data"]["content"]
    assert receiver.rejections() == [("discord", 403, "not_permitted")]
