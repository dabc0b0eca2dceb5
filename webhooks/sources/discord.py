"""Discord: the slash command, and Approve and Reject buttons, signed by Ed25519.

https://docs.discord.com/developers/interactions/receiving-and-responding
https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint
Now and then Discord sends wrong signatures, and drops an endpoint that answers anything but 401. It waits 3 s for the
response; later messages go to the interaction's own address, for 15 minutes. A person is the user's id, never the name.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from registrar.events.approval_buttons import content as button_content
from registrar.events.approval_buttons import short_nonce
from registrar.events.event import Actor, Event
from registrar.events.types import STAGES
from registrar.text import markdown
from webhooks.chat import buttons, discord_options, parser, reply_address
from webhooks.ci.payload import Ignored, number
from webhooks.ingress import strict_json
from webhooks.ingress.errors import InvalidEvent, NotJson, Rejected
from webhooks.ingress.source_types import Answer, Context, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/json"})
SCHEME = schemes.DISCORD
HOSTS = frozenset({"discord.com"})
_EVENTS, _PING, _COMMAND, _PRESS, _AUTOCOMPLETE = 0, 1, 2, 3, 4  # 5 is a submitted form
Options = buttons.Options
_VERDICTS = {"a": "approve", "r": "reject"}
# Made by the notifier discord.py: verdict, promotion, version, target, message, expiry (seconds since 1970, in hex),
# and the MAC over all of it and the model.
_BUTTON = re.compile(
    "registrar:([ar]):([0-9a-f]{32}):([0-9]{1,10}):([NSPA]):([0-9a-f]{10}):([0-9a-f]{8}):([A-Za-z0-9_-]{22})"
)
_TARGETS = {stage[0]: stage for stage in STAGES}


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. Its id, the interaction's, is in the body: `normalise` reads it."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    payload = strict_json.parse_theirs(request.body)
    kind = payload.get("type") if isinstance(payload, dict) else None
    if kind == _PING and kind is not True:
        return Parsed(answer=Answer(200, {"type": 1}))
    if kind == _EVENTS and kind is not False:
        return Ignored("Discord's webhook events").parsed
    if kind == _AUTOCOMPLETE:  # ignored by name: there are no suggestions
        return Parsed(answer=Answer(200, {"type": 8, "data": {"choices": []}}))
    if kind == _PRESS:
        return _press(payload, request, context)
    if kind == _COMMAND:
        return _command(payload, request, context)
    raise InvalidEvent("not a known interaction; send slash commands and buttons only")


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal for a 200: for any other status Discord shows only that the application did not respond."""
    try:
        kind = number(strict_json.parse_theirs(request.body), "type")
    except NotJson:
        return None
    return _ephemeral(rejected.for_people()) if kind is not None and kind >= _COMMAND else None


def _command(payload: Mapping[str, Any], request: Request, context: Context) -> Parsed:
    command = _object(payload, "data")
    name, granted = f"/{clean(str(command.get('name')))}", context.config.grants_any
    typed = parser.parse(discord_options.words(command), command=name, granted=granted)
    answer = _shown(typed.text)
    if typed.data is None:
        return Parsed(answer=answer)
    event = Event(typed.data, _person(payload, context), request.received_at, reply_to=_address(payload, context))
    return Parsed((event,), _id(payload, "id"), answer, answer_of=typed.answer_of(_shown))


def _shown(text: str) -> Answer:
    return Answer(200, _ephemeral(text))


def _press(payload: Mapping[str, Any], request: Request, context: Context) -> Parsed:
    _id(payload, "id")
    press = buttons.press_of(
        _button_content(payload, context), by=_id(_user(payload), "id"), request=request, context=context
    )
    event = Event(press.data, _person(payload, context), request.received_at, reply_to=_address(payload, context))
    return Parsed((event,), press.delivery_id, Answer(200, _ephemeral(parser.press_answer(press.data))), press.digest)


def _button_content(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Return the verified content of a button. It has no room for the model: that is in the message's footer, under the
    same MAC.
    """
    match = _BUTTON.fullmatch(str(_object(payload, "data").get("custom_id")))
    if match is None:
        raise InvalidEvent("not a button of ours, or an old one: its custom_id starts with registrar:")
    verdict, promotion, version, target, message, until, mac = match.groups()
    pinned = {"promotion": f"prm_{promotion}", "model": _model(payload), "version": int(version)}
    content = button_content(
        _VERDICTS[verdict],
        nonce=short_nonce(_VERDICTS[verdict], promotion=f"prm_{promotion}", shortened=message),
        until=datetime.fromtimestamp(int(until, 16), UTC),
        pinned={**pinned, "target": _TARGETS[target]},
    )
    audiences = buttons.audiences(payload.get("channel_id"), context)
    if not any(context.encryptor.verify_mac(content, mac, audience=audience) for audience in audiences):
        raise InvalidEvent(f"{buttons.NOT_OURS} (or its message was changed)")
    return content


def _model(payload: Mapping[str, Any]) -> str:
    embeds = _object(payload, "message").get("embeds")
    first = embeds[0] if isinstance(embeds, list) and embeds and isinstance(embeds[0], dict) else {}
    return str(_object(first, "footer").get("text"))


def _user(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the user, which in a server is within `member`. https://docs.discord.com/developers/resources/user"""
    return _object(_object(payload, "member"), "user") or _object(payload, "user")


def _person(payload: Mapping[str, Any], context: Context) -> Actor:
    user = _user(payload)
    id = _id(user, "id")
    name = user.get("global_name") or user.get("username")
    return context.policy.actor("discord", id, clean(name) if isinstance(name, str) else id)


def _address(payload: Mapping[str, Any], context: Context) -> str:
    token = payload.get("token")
    if not isinstance(token, str) or not re.fullmatch("[A-Za-z0-9._=-]{1,1000}", token):
        raise InvalidEvent("the interaction has no token for the answer")
    url = f"https://discord.com/api/v10/webhooks/{_id(payload, 'application_id')}/{token}"
    return reply_address.encrypt(url, kind="discord", hosts=HOSTS, context=context)


def _id(container: Mapping[str, Any], name: str) -> str:
    """https://docs.discord.com/developers/reference#snowflakes"""
    if not re.fullmatch("[0-9]{1,20}", id := str(container.get(name))):
        raise InvalidEvent(f"the interaction has no valid {name}")
    return id


def _object(container: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = container.get(name)
    return value if isinstance(value, dict) else {}


def _ephemeral(text: str) -> Mapping[str, Any]:
    """Return a message that only this person sees (flag 64), without mentions, of at most 2,000 characters."""
    content = markdown.escape(text, most=1900)
    return {"type": 4, "data": {"content": content, "flags": 64, "allowed_mentions": {"parse": []}}}
