"""Mattermost: the slash command, verified by its token, and Approve and Reject buttons, by their encrypted context.

https://developers.mattermost.com/integrate/slash-commands/custom
https://developers.mattermost.com/integrate/plugins/interactive-messages
A press is not signed. Mattermost keeps a button's `context` secret and sends it with the press: the encrypted text in
it proves that the notifier mattermost.py made the button for this source. A text encrypted for another chat system is
refused. A button expires, and counts once per person. A person is the user_id, never the name.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from registrar.config.encryption import DecryptionError
from registrar.events.event import Actor, Event
from registrar.text import markdown
from webhooks.chat import buttons, parser, reply_address
from webhooks.ingress import strict_form, strict_json
from webhooks.ingress.errors import BadSignature, InvalidEvent, NotAForm, NotJson, Rejected
from webhooks.ingress.source_types import Answer, Context, Outgoing, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures.verifier import WeakSecret

CONTENT_TYPES = frozenset({"application/x-www-form-urlencoded", "application/json"})
# Bytes: a post has at most 16,383 characters, and a press little more than the encrypted context.
MAX_BYTES = 65_536
Options = buttons.Options
# Repeated for each person or channel that the text mentions (model.UserMentionMap.ToURLValues in Mattermost's source).
_MENTIONS = frozenset({"user_mentions", "user_mentions_ids", "channel_mentions", "channel_mentions_ids"})
# The encrypted text and the channel in a press: the text is decrypted before the JSON around it is parsed.
_SEALED = re.compile(rb'"sealed"\s*:\s*"([A-Za-z0-9_=-]{1,4096})"')
_CHANNEL = re.compile(rb'"channel_id"\s*:\s*"([a-z0-9]{26})"')
_MOST = 4000  # characters of an answer


def check_secret(secret: str) -> None:
    if not re.fullmatch("[A-Za-z0-9]{20,64}", secret):
        raise WeakSecret("a slash command's token has 26 letters and digits; Mattermost shows it after Save")


def verify(request: Request, context: Context) -> Verified:
    """Verify a command by its token, which is sent twice, and a press by its encrypted context. No id is signed."""
    if request.content_type == "application/json":
        _decrypt_press(request, context)
        return Verified(None, None)
    matching = [index for index, secret in enumerate(context.secrets) if _has_token(request, secret)]
    if not matching:
        raise BadSignature
    return Verified(None, matching[0])


def sign(outgoing: Outgoing, *, secret: str, context: Context, now: datetime) -> Outgoing:
    """Add a command's token to header and body. A press is not changed."""
    del context, now
    if outgoing.headers.get("content-type") == "application/json":
        return outgoing
    fields = [(name, value) for name, value in parse_qsl(outgoing.body.decode(), True) if name != "token"]
    headers = {**outgoing.headers, "authorization": f"Token {secret}"}
    return Outgoing(headers, urlencode([*fields, ("token", secret)]).encode())


def normalise(request: Request, context: Context) -> Parsed:
    if request.content_type == "application/json":
        return _press(request, context)
    form = strict_form.parse(request.body, lists=_MENTIONS)
    if "command" not in form:
        raise InvalidEvent("not a slash command: the form has no field command")
    granted = context.config.grants_any
    command = parser.parse(form.get("text", ""), command=clean(form["command"]), granted=granted)
    answer = _shown(command.text)
    if command.data is None:
        return Parsed(answer=answer)
    # Mattermost has no common host: answers go only to the hosts of reply_to in registrar.yml.
    address = reply_address.encrypt(form.get("response_url", ""), kind="mattermost", hosts=(), context=context)
    event = Event(command.data, _person(form, context), request.received_at, reply_to=address)
    return Parsed((event,), answer=answer, answer_of=command.answer_of(_shown))


def _shown(text: str) -> Answer:
    return Answer(200, _message("text", text))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200: for any other status Mattermost shows only that the request failed."""
    name = "ephemeral_text" if request.content_type == "application/json" else "text"
    return _message(name, rejected.for_people())


def _has_token(request: Request, secret: str) -> bool:
    """Compare the token in constant time, as bytes: a non-ASCII text would raise TypeError.

    The form is parsed only if the header is right.
    """
    try:
        header = request.headers.get("authorization", "").encode("ascii")
        if not hmac.compare_digest(header, f"Token {secret}".encode()):
            return False
        token = strict_form.parse(request.body, lists=_MENTIONS).get("token", "")
    except (NotAForm, UnicodeEncodeError):
        return False
    return hmac.compare_digest(token.encode(), secret.encode())


def _decrypt_press(request: Request, context: Context) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the press and its decrypted context, which is verified before the rest of the body is parsed.

    Raises BadSignature.
    """
    try:
        [sealed] = _SEALED.findall(request.body)
        channel = match[1].decode() if (match := _CHANNEL.search(request.body)) else None
        content = buttons.decrypt(sealed.decode(), channel=channel, context=context)
        payload = strict_json.parse_theirs(request.body)
        if (payload["context"]["sealed"], payload.get("channel_id")) != (sealed.decode(), channel):
            raise BadSignature
        return payload, content
    except (NotJson, DecryptionError, KeyError, TypeError, AttributeError, ValueError):
        raise BadSignature from None


def _press(request: Request, context: Context) -> Parsed:
    payload, content = _decrypt_press(request, context)
    person = _person(payload, context)
    press = buttons.press_of(content, by=payload["user_id"], request=request, context=context)
    answer = Answer(200, _message("ephemeral_text", parser.press_answer(press.data, later=parser.ELSEWHERE)))
    event = Event(press.data, person, request.received_at)
    return Parsed((event,), press.delivery_id, answer, press.digest)


def _person(fields: Mapping[str, Any], context: Context) -> Actor:
    user, name = fields.get("user_id"), fields.get("user_name")
    if not isinstance(user, str) or not re.fullmatch("[a-z0-9]{26}", user):
        raise InvalidEvent("the request does not say who acted: user_id is missing or malformed")
    return context.policy.actor("mattermost", user, clean(name) if isinstance(name, str) and name else user)


def _message(name: str, text: str) -> Mapping[str, Any]:
    """Return a message that only this person sees; Mattermost must not translate Slack's markup. name: of its field."""
    kind = {"response_type": "ephemeral"} if name == "text" else {}
    return {**kind, name: markdown.escape(text, most=_MOST), "skip_slack_parsing": True}
