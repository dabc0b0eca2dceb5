"""kind: slack. Post facts by an incoming webhook or a bot; requests for approval have Approve and Reject buttons.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, /reference/block-kit/blocks
https://docs.slack.dev/reference/methods/chat.postMessage, /reference/methods/chat.update
A bot (secret: its token, options: {channel: C0123}) can edit its cards and post later facts in their threads; an
incoming webhook can't.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import requests
from pydantic import Field

from registrar.config.encryption import Encryptor
from registrar.events.types.terms import Form
from registrar.policy.base_model import Strict
from registrar.text.markdown import FENCE
from registrar.text.sanitize import shown
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification
from worker.notifications.transport.http_post import ask
from worker.notifications.transport.http_post import post as send
from worker.registry.protocol import AmbiguousError, PermanentError, RetryableError

NEEDS = ("url or secret",)
HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_LOOKALIKES = str.maketrans({"*": "\N{ASTERISK OPERATOR}", "~": "\N{TILDE OPERATOR}"})
_ITALIC = re.compile(r"(?<!\w)_(\S(?:[^\n]*?\S)?)_(?!\w)")
_QUOTE = re.compile("^>")
_STYLES = (("approve", "primary"), ("reject", "danger"))
_MAX_TEXT = 2900  # characters; a section's text ends at 3,000
# Errors that end by themselves; any other needs a person.
_RETRYABLE = frozenset(
    {
        "accesslimited",
        "external_channel_migrating",
        "fatal_error",
        "internal_error",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_ADVICE = {
    "channel_not_found": "; options.channel must be a channel's id, and the bot a member of it",
    "not_in_channel": "; invite the bot to the channel",
    "missing_scope": "; the bot needs the scope chat:write",
}


class Options(Strict):
    """The channel of a bot. channel: its id. api: Slack's, or another such as https://slack-gov.com/api."""

    channel: Annotated[str, Form(r"^[CDG][A-Z0-9]{2,30}$(?!\n)", "is no channel's id such as C0123ABCD")] | None = None
    api: Annotated[str, Field(pattern=r"^(https://|http://127\.0\.0\.1:)[A-Za-z0-9.:/_-]+$(?!\n)")] = (
        "https://slack.com/api"
    )


def escape(text: str, most: int = _MAX_TEXT) -> str:
    """Escape Slack's control characters, its formatting, and @channel and the like: no name may mention anybody.

    mrkdwn has no escape for formatting, so look-alikes replace the characters. A table keeps its fences.
    """
    plain = "\n".join(_unformatted(shown(text, lines=True).split("\n")))
    quiet = re.sub("@(?=(channel|here|everyone)\\b)", "@\u200b", plain, flags=re.IGNORECASE)
    escaped = quiet.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped if len(escaped) <= most else re.sub("&[a-z]{0,4}$", "", escaped[: most - 1]) + "…"


def _unformatted(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines without bold, strike, code, italics of whole words, and quotes.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    inside = False
    for line in lines:
        inside ^= line == FENCE
        if line == FENCE:
            yield line
        else:
            plain = line.replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
            yield (
                plain if inside else _QUOTE.sub("\u200b>", _ITALIC.sub("\uff3f\\1\uff3f", plain.translate(_LOOKALIKES)))
            )


def message(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the message's JSON; where it has blocks, its text is for desktop notifications."""
    title = escape(fact_card.title(notification))
    blocks = [_section(title)]
    if fact_card.is_card(notification.fact):
        *most, about = fact_card.parts(notification)
        blocks += [_section(escape("\n".join(part))) for part in most]
        blocks.append({"type": "context", "elements": [_mrkdwn(escape("\n".join(about)))]})
        blocks += [_section(f"<{notification.page}|{fact_card.OPEN}>")] if notification.page else []
    if fact_card.is_pressable(notification):
        blocks.append(_to_decide(notification, encryptor))
    return {"text": title, "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Return a text object. verbatim: Slack makes no links or mentions of text that looks like them."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _to_decide(notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return the buttons; the command line where no source takes their presses."""
    if notification.button_audience is None:
        return _section(escape(f"to decide: {fact_card.shell_command('approve', notification.fact)}"))
    return {
        "type": "actions",
        "elements": [_button(verdict, style, notification, encryptor) for verdict, style in _STYLES],
    }


def _button(verdict: str, style: str, notification: Notification, encryptor: Encryptor) -> dict[str, Any]:
    """Return a button. Its value, 2,000 characters at most, is encrypted: nobody can press for another version."""
    value = fact_card.encrypted_button(
        verdict, notification, encryptor, place=Options.model_validate(notification.options).channel
    )
    label = {"type": "plain_text", "text": verdict.capitalize()}
    return {"type": "button", "action_id": f"registrar.{verdict}", "style": style, "text": label, "value": value}


def post(notification: Notification, http: requests.Session, encryptor: Encryptor) -> str | None:
    content = message(notification, encryptor)
    channel = Options.model_validate(notification.options).channel
    if channel is None:
        send(http, notification.url, json.dumps(content).encode(), _JSON)
        return None
    content = {"channel": channel, **content, **_thread(notification, channel)}
    answer = _call("chat.postMessage", content, notification, http)
    return json.dumps({"channel": answer.get("channel", channel), "ts": answer["ts"]}) if "ts" in answer else None


def edit(notification: Notification, ref: str, http: requests.Session, encryptor: Encryptor) -> None:
    """Rewrite a card with all its blocks: Slack keeps blocks that an edit does not name."""
    _call("chat.update", {**json.loads(ref), **message(notification, encryptor)}, notification, http)


def _thread(notification: Notification, channel: str) -> dict[str, Any]:
    """Return the fields for the card's thread; a repeated request is shown in the channel, too."""
    card_ref = json.loads(notification.thread) if notification.thread else {}
    if card_ref.get("channel") != channel:
        return {}
    return {"thread_ts": card_ref["ts"], "reply_broadcast": fact_card.is_card(notification.fact)}


def _call(method: str, content: dict[str, Any], notification: Notification, http: requests.Session) -> Any:
    """Call a method. Slack answers 200, and says in the body whether it worked.

    parse: without it, chat.update links names of channels and people in a text.
    """
    token = notification.required_secret("the bot's token")
    url = f"{Options.model_validate(notification.options).api.rstrip('/')}/{method}"
    headers = {**_JSON, "Authorization": f"Bearer {token}"}
    answer = ask(http, "POST", url, {**content, "parse": "none", "link_names": False}, headers)
    if answer.get("ok") is True:
        return answer
    error = answer.get("error")
    if not isinstance(error, str) or not re.fullmatch("[a-z_]{1,60}", error):
        raise AmbiguousError("Slack's answer can't be read")
    if error in _RETRYABLE:
        raise RetryableError(f"Slack answered {error}")
    raise PermanentError(f"Slack refused the message: {error}{_ADVICE.get(error, '')}")


def reply(url: str, text: str, http: requests.Session) -> None:
    """Answer at a response_url; only the person who asked sees that, and the card with the buttons stays."""
    content = {"response_type": "ephemeral", "replace_original": False, "text": escape(text)}
    send(http, url, json.dumps(content).encode(), _JSON)
