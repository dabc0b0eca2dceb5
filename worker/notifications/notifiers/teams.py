"""kind: teams. Facts as Adaptive Cards to a workflow of Microsoft Teams that starts when a webhook request is received.

https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
Buttons of such a card can only open a page, so the card says what to write to the bot (webhooks/sources/teams.py).
"""

import json
from typing import Any

import requests

from registrar.config.encryption import Encryptor
from registrar.text import markdown
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import post as send

NEEDS = ("url",)
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_MOST = 16_000  # bytes of lines; a message ends at 28 KB: https://learn.microsoft.com/connectors/teams/
_LONGEST = 1000  # characters of a line


def message(notification: Notification) -> dict[str, Any]:
    """The workflow's JSON: one attachment, which is the card. https://adaptivecards.io/explorer/AdaptiveCard.html"""
    body = [_line(fact_card.title(notification), size="medium", weight="bolder")]
    if fact_card.is_card(notification.fact):
        body += _fitting([_line(line, spacing="small") for line in _lines(notification)])
    page = [{"type": "Action.OpenUrl", "title": fact_card.OPEN, "url": notification.page}] if notification.page else []
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": page,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _lines(notification: Notification) -> list[str]:
    commands = [f"@Registrar {fact_card.command(verdict, notification.fact)}" for verdict in ("approve", "reject")]
    to_decide = [f"to decide, write {' or '.join(commands)}"] if fact_card.is_pressable(notification) else []
    return [*to_decide, *(line for part in fact_card.parts(notification) for line in part)]


def _line(text: str, **style: str) -> dict[str, Any]:
    """Return a RichTextBlock, which, unlike a TextBlock, knows no Markdown:
    https://learn.microsoft.com/adaptive-cards/create/textfeatures

    A mention takes <at>NAME</at> and an entity that names the person; there is none, and <at> is broken, too.
    """
    run = {"type": "TextRun", "text": markdown.without_mentions(text[:_LONGEST]), **style}
    spacing = {"spacing": run.pop("spacing")} if "spacing" in run else {}
    return {"type": "RichTextBlock", "inlines": [run], **spacing}


def _fitting(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many lines as there is room for."""
    kept: list[dict[str, Any]] = []
    room = _MOST
    for line in lines:
        room -= len(_bytes(line))
        if room < 0:
            return [*kept, _line("…")]
        kept.append(line)
    return kept


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    """A workflow answers 202 without an id: its messages can't be edited."""
    send(http, notification.url, _bytes(message(notification)), _JSON)
    return None
