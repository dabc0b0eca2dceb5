"""kind: slack. Facts to an incoming webhook; a request for approval carries Approve and Reject buttons.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, /reference/block-kit/blocks
"""

import json
from typing import Any

import requests

from registrar.outcome import Fact
from registrar.seal import Seal
from worker import card
from worker.notifiers import Notice
from worker.post import post as send

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_ICONS = {
    "model_version.registered": ":package:",
    "model_version.transitioned": ":rocket:",
    "model_version.archived": ":file_cabinet:",
    "model_version.held_back": ":no_entry:",
    "promotion.awaiting_approval": ":raised_hand:",
    "promotion.approved": ":white_check_mark:",
    "promotion.rejected": ":x:",
    "task.failed": ":warning:",
    "task.dead": ":rotating_light:",
    "training_run.failed": ":warning:",
}


def escape(text: str) -> str:
    """Slack's three control characters: `<!channel>` in a model's name must not call everyone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(fact: Fact, seal: Seal) -> dict[str, Any]:
    """The message's JSON. A section's text ends at 3,000 characters."""
    text = f"{_ICONS.get(fact.type, ':information_source:')} {escape(fact.text)}"[:2900]
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    if fact.type == "promotion.awaiting_approval":
        blocks += [_evidence(fact), _buttons(fact, seal)]
    return {"text": text, "blocks": blocks}


def _evidence(fact: Fact) -> dict[str, Any]:
    lines = [escape(line)[:1900] for line in card.evidence(fact)]
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": line} for line in lines[:10]]}


def _buttons(fact: Fact, seal: Seal) -> dict[str, Any]:
    """Each button's value is sealed: nobody can press for another version than the one shown."""
    pinned = {
        "promotion": fact.details["promotion"],
        "model": fact.model,
        "version": fact.version,
        "target": fact.details["target"],
    }
    return {
        "type": "actions",
        "elements": [
            _button("approve", "primary", seal.close(pinned)),
            _button("reject", "danger", seal.close(pinned)),
        ],
    }


def _button(verdict: str, style: str, value: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": verdict.capitalize()}
    return {"type": "button", "action_id": f"registrar.{verdict}", "style": style, "text": label, "value": value}


def post(notice: Notice, http: requests.Session, seal: Seal) -> None:
    send(http, notice.url, json.dumps(message(notice.fact, seal)).encode(), _JSON)


def reply(url: str, text: str, http: requests.Session) -> None:
    """To a response_url: only the person who asked sees it, and the message with the buttons stays."""
    content = {"response_type": "ephemeral", "replace_original": False, "text": escape(text)[:2900]}
    send(http, url, json.dumps(content).encode(), _JSON)
