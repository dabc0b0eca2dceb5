"""kind: mattermost. Facts to an incoming webhook; a request for approval carries Approve and Reject buttons.

https://developers.mattermost.com/integrate/webhooks/incoming
https://developers.mattermost.com/integrate/plugins/interactive-messages
A button needs the receiver's address: REGISTRAR_PUBLIC_URL, and `buttons` of the channel, a source of kind mattermost.
"""

import json
from typing import Any

import requests

from registrar import markdown
from registrar.seal import Seal
from worker import card
from worker.notifiers import Notice
from worker.post import post as send

HOSTS: frozenset[str] = frozenset()  # everybody has one of their own
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_MOST = 4000  # characters; a post ends at 16,383


def message(notice: Notice, seal: Seal) -> dict[str, Any]:
    """The message's JSON."""
    fact = notice.fact
    text = markdown.escape(card.headline(fact), most=_MOST)
    if fact.type != card.ASKED:
        return {"text": text}
    lines = card.evidence(fact)
    if not notice.door:
        lines.append(f"to decide: /registry {card.command('approve', fact)}")
    shown: dict[str, Any] = {"text": markdown.escape("\n".join(lines), most=_MOST)}
    if notice.door:
        shown["actions"] = [_button("approve", "good", notice, seal), _button("reject", "danger", notice, seal)]
    return {"text": text, "attachments": [{"fallback": text, **shown}]}


def _button(verdict: str, style: str, notice: Notice, seal: Seal) -> dict[str, Any]:
    """Presses are not signed: the sealed text, which nobody is shown, is what they are known by. A message that is
    posted again has the same nonces, so one person's press of both is one.
    """
    fact = notice.fact
    sealed = {
        "press": f"promotion.{verdict}",
        "nonce": f"{notice.id}.{verdict}",
        "promotion": fact.details["promotion"],
        "model": fact.model,
        "version": fact.version,
        "target": fact.details["target"],
    }
    integration = {"url": notice.door, "context": {"sealed": seal.close(sealed)}}
    # Letters and digits only: with any other an action's id is not routed.
    return {
        "id": verdict,
        "type": "button",
        "name": verdict.capitalize(),
        "style": style,
        "integration": integration,
    }


def post(notice: Notice, http: requests.Session, seal: Seal) -> None:
    send(http, notice.url, json.dumps(message(notice, seal)).encode(), _JSON)


def reply(url: str, text: str, http: requests.Session) -> None:
    """To a response_url: only the person who asked sees it."""
    content = {"response_type": "ephemeral", "text": markdown.escape(text, most=_MOST), "skip_slack_parsing": True}
    send(http, url, json.dumps(content).encode(), _JSON)
