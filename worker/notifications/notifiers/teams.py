"""kind: teams. Post facts as Adaptive Cards to a workflow of Microsoft Teams that a webhook request starts.

https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
Such a card's buttons can only open a page, so the card names the commands for the bot (webhooks/sources/teams.py).
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
_MAX_LINES = 16_000  # bytes of all lines; a message ends at 28 KB: https://learn.microsoft.com/connectors/teams/
_MAX_LINE = 1000  # characters


def message(notification: Notification) -> dict[str, Any]:
    """Return the workflow's JSON: one attachment, the card. https://adaptivecards.io/explorer/AdaptiveCard.html"""
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
    """Return a RichTextBlock, which unlike a TextBlock has no Markdown.

    https://learn.microsoft.com/adaptive-cards/create/textfeatures
    A mention takes <at>NAME</at> and an entity that names the person: there is no entity, and <at> is broken up, too.
    """
    run = {"type": "TextRun", "text": markdown.without_mentions(text[:_MAX_LINE]), **style}
    spacing = {"spacing": run.pop("spacing")} if "spacing" in run else {}
    return {"type": "RichTextBlock", "inlines": [run], **spacing}


def _fitting(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many lines as fit into _MAX_LINES, and an ellipsis for the others."""
    kept: list[dict[str, Any]] = []
    room = _MAX_LINES
    for line in lines:
        room -= len(_bytes(line))
        if room < 0:
            return [*kept, _line("…")]
        kept.append(line)
    return kept


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    """Post one fact. A workflow answers 202 without an id, so its messages can't be edited."""
    send(http, notification.url, _bytes(message(notification)), _JSON)
    return None
