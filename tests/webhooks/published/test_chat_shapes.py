"""Whatever a chat system sends is answered, and nothing that nobody asked for is done."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from tests.webhooks.conftest import Receiver
from tests.webhooks.published import FORM, JSON, Published, post

# RFC 8032 section 7.1, key 1: its public half is the secret of tests/fixtures/discord.
DISCORD = (
    "whsk_"
    + base64.b64encode(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")).decode()
)
PERSON = {"id": "U2CERLKJA", "team_id": "T1DC2JH3J", "username": "ada"}


def slack(payload: dict[str, Any]) -> Published:
    fields = {"payload": json.dumps({"user": PERSON, "trigger_id": "1.2.a", **payload})}
    return Published("slack", str(payload.get("type")), urlencode(fields).encode(), {"content-type": FORM})


def slash(text: str, **more: str) -> Published:
    who = {"command": "/registry", "team_id": "T1DC2JH3J", "user_id": "U2CERLKJA", "user_name": "ada"}
    return Published("slack", text, urlencode({**who, "text": text, **more}).encode(), {"content-type": FORM})


def said(source: str, content: Any) -> Published:
    return Published(source, json.dumps(content)[:60], json.dumps(content).encode(), {"content-type": JSON})


def discord(**content: Any) -> Published:
    who = {"member": {"user": {"id": "53908232506183680", "username": "ada"}}}
    return said("discord", {"id": "7", "application_id": "8", "token": "aW50", "version": 1, **who, **content})


def teams(**content: Any) -> Published:
    who = {"from": {"id": "29:1", "name": "Ada", "aadObjectId": "3f2c1d9e-7a4b-4c58-9d0e-1b2a3c4d5e6f"}}
    now = datetime.now(UTC).isoformat()
    return said("teams", {"type": "message", "id": "1", "timestamp": now, "text": "", **who, **content})


def mattermost(**fields: str) -> Published:
    who = {"command": "/registry", "user_id": "aoa1agao6t8fmx3ikt1j9w5ybw", "user_name": "ada", "team_id": "t"}
    made = {**who, "response_url": "https://chat.example.com/hooks/1", **fields}
    return Published("mattermost", str(fields), urlencode(made).encode(), {"content-type": FORM})


def chat(receiver: Receiver, sent: Published) -> TestResponse:
    return post(receiver, sent, secret=DISCORD if sent.source == "discord" else None)


MODAL = {"custom_id": "feedback", "components": [{"type": 18, "component": {"type": 4, "value": "approve taxi 3"}}]}
NOBODY_ASKED = [
    *[
        slack({"type": kind, "view": {"id": "V1"}, "callback_id": "approve"})
        for kind in (
            "view_submission",
            "view_closed",
            "shortcut",
            "message_action",
            "block_suggestion",
            "dialog_submission",
        )
    ],
    slack({"type": "block_actions", "actions": [{"action_id": "pick", "type": "multi_static_select"}]}),
    slack({"type": "block_actions", "actions": [{"action_id": "a"}, {"action_id": "b"}], "user": None}),
    slack({"type": "block_actions", "actions": [], "view": {"type": "home"}}),
    slack({"type": "interactive_message", "actions": [{"name": "approve"}]}),
    slack({"type": "workflow_step_execute"}),
    Published("slack", "ssl_check", b"ssl_check=1&token=x", {"content-type": FORM}),
    Published("slack", "neither", b"token=x&trigger_word=approve", {"content-type": FORM}),
    said("slack", {"type": "event_callback", "event": {"type": "message", "text": "approve taxi 3"}}),
    said("slack", {"type": "url_verification", "challenge": "c", "token": "x"}),
    slash(""),
    slash(" \u200b\u00a0 help"),
    slash("approve"),
    slash("approve taxi"),
    slash("\u201capprove taxi 3\u201d"),
    slash("please approve taxi 3"),
    slash("> approve taxi 3"),
    slash("approve taxi 3", team_id=""),
    slash("approve taxi 3", response_url="https://evil.example/x"),
    slash("help", enterprise_id="E1", is_enterprise_install="true", api_app_id="A1"),
    *[discord(type=kind) for kind in (0, 1, 2, 3, 4, 5, 6, 99)],
    discord(type=5, data=MODAL),
    discord(type=3, data={"component_type": 3, "custom_id": "menu", "values": ["approve"]}),
    discord(type=3, data={"component_type": 2, "custom_id": "registrar:a:broken"}),
    discord(type=3, data={"component_type": 2, "custom_id": None}, message={"flags": 32768, "components": []}),
    discord(type=2, data={"type": 2, "name": "Approve", "target_id": "9"}),
    discord(type=2, data={"type": 3, "name": "Approve", "target_id": "9"}),
    discord(type=2, data={"type": 1, "name": "registry"}, member=None, user=None),
    discord(type=2, data={"type": 1, "name": "registry", "options": [{"name": "text", "value": "approve taxi"}]}),
    discord(type=2, data={"type": 1, "name": "registry", "options": [{"name": "group", "type": 2, "options": []}]}),
    discord(type=2, data=None, token=None),
    *[
        teams(type=kind)
        for kind in ("typing", "messageReaction", "messageUpdate", "conversationUpdate", "invoke", "event")
    ],
    teams(),
    teams(text=None, attachments=[{"contentType": "text/html", "content": "<div>approve taxi 3</div>"}]),
    teams(text="<blockquote><p>approve taxi 3</p></blockquote>"),
    teams(text="<at>Registrar</at> versions taxi"),
    teams(text="<at>Registrar</at> approve taxi 3", **{"from": {"id": "29:1"}}),
    mattermost(text=""),
    mattermost(text="approve"),
    mattermost(text="@ada approve taxi 3", user_mentions="ada", user_mentions_ids="x"),
    mattermost(text="approve taxi 3", user_id=""),
    mattermost(text="approve taxi 3", response_url="https://evil.example/x"),
]


def test_what_asks_for_nothing_that_is_clear_is_answered_and_does_nothing(receiver: Receiver):
    for sent in NOBODY_ASKED:
        answer = chat(receiver, sent)
        assert (answer.status_code, answer.is_json) == (200, True), f"{sent}: {answer.get_data(as_text=True)}"
        assert receiver.events() == [], sent


ASKED = [
    slash("\u00a0approve\u2003\u201ctaxi\u201d  v3\u200b", response_url="https://hooks.slack.com/commands/1"),
    slash("APPROVE <http://taxi|taxi> 3 production looks &lt;good&gt;", team_domain="acme", channel_name="ml"),
    discord(
        type=2,
        data={"type": 1, "name": "registry", "options": [{"name": "text", "value": "approve \u2018taxi\u2019 3"}]},
    ),
    teams(text="<div><at>Registrar</at>&nbsp;approve&nbsp;<strong>taxi</strong> 3</div>\r\n", textFormat="html"),
    mattermost(text="approve \u00abtaxi\u00bb V3", channel_mentions="town-square", channel_mentions_ids="x"),
]


def test_what_was_asked_for_is_understood_however_it_was_typed(receiver: Receiver):
    for sent in ASKED:
        assert chat(receiver, sent).status_code == 200, sent
    said = [(event.type, event.data["model"], event.data["version"]) for event in receiver.events()]
    assert said == [("promotion.approve", "taxi", 3)] * len(ASKED)
