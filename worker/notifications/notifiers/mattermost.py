"""kind: mattermost. Post facts by an incoming webhook or a bot; requests for approval have Approve and Reject buttons.

https://developers.mattermost.com/integrate/webhooks/incoming
https://developers.mattermost.com/integrate/plugins/interactive-messages
https://docs.mattermost.com/api/reference/create-post, /patch-post
A bot (url: the server's address, secret: its token, options: {channel_id: ...}) can edit its cards and post later facts
in their threads. Buttons need the receiver's address, REGISTRAR_PUBLIC_URL, and the channel's `buttons`, a source of
kind mattermost.
"""

import json
import re
from typing import Annotated, Any

import requests

from registrar.config.encryption import Encryptor
from registrar.events.types.terms import Form
from registrar.policy.base_model import Strict
from registrar.text import markdown
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import ask
from worker.notifications.transport.http_post import post as send

NEEDS = ("url",)
HOSTS: frozenset[str] = frozenset()  # each installation has its own
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_MAX_TEXT = 4000  # characters; a post ends at 16,383
_ID = r"^[a-z0-9]{26}$(?!\n)"


class Options(Strict):
    """The channel of a bot. channel_id: shown under View Info of the channel."""

    channel_id: Annotated[str, Form(_ID, "is no channel's id of 26 letters and digits")] | None = None


def message(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the JSON of an incoming webhook's message."""
    text = markdown.escape(fact_card.title(notification), most=_MAX_TEXT)
    link = {"title": fact_card.OPEN, "title_link": notification.page} if notification.page else {}
    if not fact_card.is_card(notification.fact):
        return {"text": text}
    return {"text": text, "attachments": [{"fallback": text, **link, **_attachment(notification, encryptor)}]}


def _attachment(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    lines = [line for part in fact_card.parts(notification) for line in part]
    pressable, has_buttons = (
        fact_card.is_pressable(notification),
        bool(notification.buttons_url and notification.button_audience),
    )
    if pressable and not has_buttons:
        lines.append(f"to decide: /registry {fact_card.command('approve', notification.fact)}")
    content = {"text": markdown.escape("\n".join(lines), most=_MAX_TEXT)}
    if not pressable or not has_buttons:
        return content
    return {
        **content,
        "actions": [
            _button("approve", "good", notification, encryptor),
            _button("reject", "danger", notification, encryptor),
        ],
    }


def _button(verdict: str, style: str, notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return a button. Presses are not signed: the encrypted text, which no user sees, authenticates them."""
    sealed = fact_card.encrypted_button(
        verdict, notification, encryptor, place=Options.model_validate(notification.options).channel_id
    )
    return {
        "id": verdict,  # letters and digits only: Mattermost does not route others
        "type": "button",
        "name": verdict.capitalize(),
        "style": style,
        "integration": {"url": notification.buttons_url, "context": {"sealed": sealed}},
    }


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    """Post one fact. Mattermost drops a repetition with the same pending_post_id within half a minute
    (deduplicateCreatePost in its source).
    """
    channel = Options.model_validate(notification.options).channel_id
    if channel is None:
        send(http, notification.url, json.dumps(message(notification, encryptor)).encode(), _JSON)
        return None
    content = {"channel_id": channel, **_post(notification, encryptor), "pending_post_id": notification.id}
    thread = {"root_id": json.loads(notification.thread)["id"]} if notification.thread else {}
    answer = ask(http, "POST", _address(notification, ""), {**content, **thread}, _headers(notification))
    id = answer.get("id")
    return json.dumps({"id": id}) if isinstance(id, str) and re.fullmatch(_ID, id) else None


def edit(notification: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
    ask(
        http,
        "PUT",
        _address(notification, f"/{json.loads(ref)['id']}/patch"),
        _post(notification, encryptor),
        _headers(notification),
    )


def _post(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the same message in the API's fields."""
    content = message(notification, encryptor)
    return {"message": content["text"], "props": {"attachments": content.get("attachments", [])}}


def _address(notification: Notification, path: str) -> str | None:
    return f"{notification.url.rstrip('/')}/api/v4/posts{path}" if notification.url else None


def _headers(notification: Notification) -> dict[str, str]:
    token = notification.required_secret("the bot's token")
    return {**_JSON, "Authorization": f"Bearer {token}"}


def reply(url: str, text: str, http: requests.Session) -> None:
    """Answer at a response_url; only the person who asked sees that."""
    content = {"response_type": "ephemeral", "text": markdown.escape(text, most=_MAX_TEXT), "skip_slack_parsing": True}
    send(http, url, json.dumps(content).encode(), _JSON)
