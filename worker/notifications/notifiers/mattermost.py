"""kind: mattermost. Facts to an incoming webhook, or by a bot; a request for approval carries Approve and Reject.

https://developers.mattermost.com/integrate/webhooks/incoming
https://developers.mattermost.com/integrate/plugins/interactive-messages
https://docs.mattermost.com/api/reference/create-post, /patch-post
A bot (url: the server's address, secret: its token, options: {channel_id: ...}) can edit its cards and tell the rest of
a promotion in their threads. A button needs the receiver's address: REGISTRAR_PUBLIC_URL, and `buttons` of the channel,
a source of kind mattermost.
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
from worker.registry.protocol import PermanentError

NEEDS = ("url",)
HOSTS: frozenset[str] = frozenset()  # everybody has one of their own
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_MOST = 4000  # characters; a post ends at 16,383
_ID = r"^[a-z0-9]{26}$(?!\n)"


class Options(Strict):
    """channel_id: where a bot posts; View Info of the channel shows it."""

    channel_id: Annotated[str, Form(_ID, "is no channel's id of 26 letters and digits")] | None = None


def message(notice: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """The JSON of an incoming webhook's message."""
    text = markdown.escape(fact_card.title(notice), most=_MOST)
    link = {"title": fact_card.OPEN, "title_link": notice.page} if notice.page else {}
    attachments = [{"fallback": text, **link, **_shown(notice, encryptor)}] if fact_card.is_card(notice.fact) else []
    return {"text": text, **({"attachments": attachments} if attachments else {})}


def _shown(notice: Notification, encryptor: Encryptor) -> dict[str, Any]:
    lines = [line for part in fact_card.parts(notice) for line in part]
    pressable, has_buttons = fact_card.is_pressable(notice), bool(notice.door and notice.presses)
    if pressable and not has_buttons:
        lines.append(f"to decide: /registry {fact_card.command('approve', notice.fact)}")
    shown = {"text": markdown.escape("\n".join(lines), most=_MOST)}
    if not pressable or not has_buttons:
        return shown
    return {
        **shown,
        "actions": [_button("approve", "good", notice, encryptor), _button("reject", "danger", notice, encryptor)],
    }


def _button(verdict: str, style: str, notice: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Presses are not signed: the sealed text, which nobody is shown, is what they are known by."""
    sealed = fact_card.encrypted_button(
        verdict, notice, encryptor, place=Options.model_validate(notice.options).channel_id
    )
    return {
        "id": verdict,  # letters and digits only: with any other an action's id is not routed
        "type": "button",
        "name": verdict.capitalize(),
        "style": style,
        "integration": {"url": notice.door, "context": {"sealed": sealed}},
    }


def post(notice: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    """The same pending_post_id within half a minute is the same post (deduplicateCreatePost in its source)."""
    channel = Options.model_validate(notice.options).channel_id
    if channel is None:
        send(http, notice.url, json.dumps(message(notice, encryptor)).encode(), _JSON)
        return None
    content = {"channel_id": channel, **_post(notice, encryptor), "pending_post_id": notice.id}
    thread = {"root_id": json.loads(notice.thread)["id"]} if notice.thread else {}
    said = ask(http, "POST", _at(notice, ""), {**content, **thread}, _headers(notice))
    id = said.get("id")
    return json.dumps({"id": id}) if isinstance(id, str) and re.fullmatch(_ID, id) else None


def edit(notice: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
    ask(http, "PUT", _at(notice, f"/{json.loads(ref)['id']}/patch"), _post(notice, encryptor), _headers(notice))


def _post(notice: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """The same message in the words of the API."""
    said = message(notice, encryptor)
    return {"message": said["text"], "props": {"attachments": said.get("attachments", [])}}


def _at(notice: Notification, path: str) -> str | None:
    return f"{notice.url.rstrip('/')}/api/v4/posts{path}" if notice.url else None


def _headers(notice: Notification) -> dict[str, str]:
    if not notice.secret:
        raise PermanentError("the channel has no secret; add secret: env:NAME to it in registrar.yml, the bot's token")
    return {**_JSON, "Authorization": f"Bearer {notice.secret}"}


def reply(url: str, text: str, http: requests.Session) -> None:
    """To a response_url: only the person who asked sees it."""
    content = {"response_type": "ephemeral", "text": markdown.escape(text, most=_MOST), "skip_slack_parsing": True}
    send(http, url, json.dumps(content).encode(), _JSON)
