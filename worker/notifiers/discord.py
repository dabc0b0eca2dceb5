"""kind: discord. Facts to a channel; a request for approval carries Approve and Reject buttons if a bot posts it.

https://docs.discord.com/developers/resources/webhook#execute-webhook
https://docs.discord.com/developers/resources/message#create-message
url: a webhook's, or https://discord.com/api/v10/channels/<id>/messages with the bot's token as secret. Buttons are
the bot's application's: what other webhooks carry is shown to nobody, so they name the command instead.
"""

import json
from typing import Any

import requests

from registrar import markdown
from registrar.outcome import Fact
from registrar.seal import Seal
from worker import card
from worker.notifiers import Notice
from worker.post import post as send

HOSTS = frozenset({"discord.com"})
# https://docs.discord.com/developers/reference#user-agent: others may be turned away
_JSON = {"Content-Type": "application/json", "User-Agent": "DiscordBot (mlflow-registrar, 1)"}
_NOBODY: dict[str, Any] = {"allowed_mentions": {"parse": []}}
_EPHEMERAL = 64
_ROW, _BUTTON = 1, 2
_GREEN, _RED = 3, 4


def message(fact: Fact, seal: Seal, *, buttons: bool) -> dict[str, Any]:
    """The message's JSON. A message ends at 2,000 characters, an embed's description at 4,096."""
    said = {"content": markdown.escape(card.headline(fact), most=1900), **_NOBODY}
    if fact.type != card.ASKED:
        return said
    lines = card.evidence(fact) if buttons else [*card.evidence(fact), f"/registry {card.command('approve', fact)}"]
    # The footer is plain text, and is where a press finds the model's name: a button has no room for it.
    embed = {"description": markdown.escape("\n".join(lines), most=3900), "footer": {"text": fact.model}}
    row = {"type": _ROW, "components": [_button("approve", _GREEN, fact, seal), _button("reject", _RED, fact, seal)]}
    return {**said, "embeds": [embed], **({"components": [row]} if buttons else {})}


def _button(verdict: str, style: int, fact: Fact, seal: Seal) -> dict[str, Any]:
    """custom_id has 100 characters: the mark vouches for them and for the model in the footer."""
    promotion, target = fact.details["promotion"], fact.details["target"]
    content = {"promotion": promotion, "model": fact.model, "version": fact.version, "target": target}
    mark = seal.mark({"press": f"promotion.{verdict}", **content})
    said = (verdict[0], promotion.removeprefix("prm_"), str(fact.version), target[0], mark)
    custom_id = ":".join(("registrar", *said))
    return {"type": _BUTTON, "style": style, "label": verdict.capitalize(), "custom_id": custom_id}


def post(notice: Notice, http: requests.Session, seal: Seal) -> None:
    bot = {"Authorization": f"Bot {notice.secret}"} if notice.secret else {}
    content = message(notice.fact, seal, buttons=bool(notice.secret))
    send(http, notice.url, json.dumps(content).encode(), {**_JSON, **bot})


def reply(url: str, text: str, http: requests.Session) -> None:
    """A follow-up to an interaction: only the person who asked sees it."""
    content = {"content": markdown.escape(text, most=1900), "flags": _EPHEMERAL, **_NOBODY}
    send(http, url, json.dumps(content).encode(), _JSON)
