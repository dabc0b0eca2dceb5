"""kind: discord. Post facts to a channel; requests for approval have Approve and Reject buttons if a bot posts them.

https://docs.discord.com/developers/resources/webhook#execute-webhook, #edit-webhook-message
https://docs.discord.com/developers/resources/message#create-message, #edit-message
url: a webhook's, or https://discord.com/api/v10/channels/<id>/messages with the bot's token as secret. Buttons
belong to the bot's application, and Discord drops those of other webhooks, so such cards name the command instead.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from registrar.text import markdown
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import ask
from worker.notifications.transport.http_post import post as send
from worker.registry.protocol import PermanentError

NEEDS = ("url",)
HOSTS = frozenset({"discord.com"})
# https://docs.discord.com/developers/reference#user-agent: others may be turned away
_JSON = {"Content-Type": "application/json", "User-Agent": "DiscordBot (mlflow-registrar, 1)"}
_NOBODY: dict[str, Any] = {"allowed_mentions": {"parse": []}}
_EPHEMERAL = 64
_ROW, _BUTTON = 1, 2
_GREEN, _RED = 3, 4


def message(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the message's JSON. Limits: 2,000 characters for a message, 4,096 for an embed's description."""
    title = {"content": markdown.escape(fact_card.title(notification), most=1900), **_NOBODY}
    if not fact_card.is_card(notification.fact):
        return title
    lines = [line for part in fact_card.parts(notification) for line in part]
    if fact_card.is_pressable(notification) and not _has_buttons(notification):
        lines.append(f"/registry {fact_card.command('approve', notification.fact)}")
    # A press needs the model's name. A button has no room for it, so it is in the footer, which is plain text.
    link = {"title": fact_card.OPEN, "url": notification.page} if notification.page else {}
    embed = {
        **link,
        "description": markdown.escape("\n".join(lines), most=3900),
        "footer": {"text": notification.fact.model},
    }
    return {**title, "embeds": [embed], **_row(notification, encryptor)}


def _row(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the buttons; an empty list removes them, as an edit keeps fields that it does not name."""
    if not fact_card.is_pressable(notification):
        return {"components": []}
    if not _has_buttons(notification):
        return {}
    buttons = [_button("approve", _GREEN, notification, encryptor), _button("reject", _RED, notification, encryptor)]
    return {"components": [{"type": _ROW, "components": buttons}]}


def _has_buttons(notification: Notification) -> bool:
    """Return whether a bot posts, and a source takes the presses."""
    return bool(notification.secret and notification.button_audience)


def _button(verdict: str, style: int, notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return a button. Its custom_id, 100 characters at most, has a MAC over it and the model in the footer."""
    fact, short = notification.fact, approval_buttons.short(notification.id)
    promotion, target = fact.details["promotion"], fact.details["target"]
    nonce = approval_buttons.short_nonce(verdict, promotion=promotion, shortened=short)
    content = fact_card.button_content(verdict, notification, nonce=nonce)
    mac = encryptor.mac(content, audience=fact_card.audience(notification, _place(notification)))
    expiry = f"{content['until']:08x}"
    fields = (verdict[0], promotion.removeprefix("prm_"), str(fact.version), target[0], short, expiry, mac)
    custom_id = ":".join(("registrar", *fields))
    return {"type": _BUTTON, "style": style, "label": verdict.capitalize(), "custom_id": custom_id}


def _place(notification: Notification) -> str | None:
    """Return the channel's id from a bot's url: https://docs.discord.com/developers/resources/message#create-message"""
    match = re.search(r"/channels/([0-9]{1,20})/messages$(?!\n)", notification.url or "")
    return match[1] if match else None


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    """Post one fact. Discord drops a bot's repetition within minutes, by its nonce."""
    content = message(notification, encryptor)
    if notification.secret:
        content |= {"nonce": approval_buttons.short(notification.id), "enforce_nonce": True, **_reference(notification)}
    answer = ask(http, "POST", _address(notification), content, _headers(notification))
    id = answer.get("id")
    return json.dumps({"id": id}) if isinstance(id, str) and re.fullmatch("[0-9]{1,20}", id) else None


def edit(notification: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
    ask(
        http,
        "PATCH",
        _address(notification, json.loads(ref)["id"]),
        message(notification, encryptor),
        _headers(notification),
    )


def _reference(notification: Notification) -> dict[str, Any]:
    """Return a reference to the card's message, so that this one answers it: people have to join Discord's threads."""
    if not notification.thread:
        return {}
    return {"message_reference": {"message_id": json.loads(notification.thread)["id"], "fail_if_not_exists": False}}


def _address(notification: Notification, id: str | None = None) -> str | None:
    """Return the address for a new message, or for message `id`. With wait=true, a webhook returns the message's id."""
    if not notification.url:
        return None
    try:
        parts = urlsplit(notification.url)
    except ValueError:
        raise PermanentError("the channel's url is not an http(s) address") from None
    if notification.secret:
        return urlunsplit(parts._replace(path=f"{parts.path}/{id}" if id else parts.path))
    if id:
        return urlunsplit(parts._replace(path=f"{parts.path}/messages/{id}"))
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, "wait=true"]))))


def _headers(notification: Notification) -> dict[str, str]:
    return {**_JSON, **({"Authorization": f"Bot {notification.secret}"} if notification.secret else {})}


def reply(url: str, text: str, http: requests.Session) -> None:
    """Follow up on an interaction; only the person who asked sees that."""
    content = {"content": markdown.escape(text, most=1900), "flags": _EPHEMERAL, **_NOBODY}
    send(http, url, json.dumps(content).encode(), _JSON)
