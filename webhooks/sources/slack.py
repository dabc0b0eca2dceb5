"""Slack: Approve and Reject buttons (block_actions) and the slash command, both signed by the v0 scheme.

https://docs.slack.dev/authentication/verifying-requests-from-slack
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
https://docs.slack.dev/interactivity/implementing-slash-commands
A person is TEAM/USER, never the name, which the person can change. A button counts once per person.
"""

import re
from collections.abc import Mapping
from typing import Any

from registrar.config.encryption import DecryptionError
from registrar.events.event import Actor, Event
from registrar.http.safe_url import allowed
from webhooks.chat import buttons, parser, reply_address
from webhooks.ci.payload import Ignored, at, text
from webhooks.ingress import strict_form, strict_json
from webhooks.ingress.chat_reply import ChatReply
from webhooks.ingress.errors import InvalidEvent, NotAForm, NotJson, Rejected
from webhooks.ingress.source_types import Answer, Context, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/x-www-form-urlencoded", "application/json"})
SCHEME = schemes.SLACK
HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
BUTTONS = {"registrar.approve": "promotion.approve", "registrar.reject": "promotion.reject"}
IGNORED = frozenset({"registrar.open"})  # a link on a card: Slack reports the click, too
Options = buttons.Options
_NOTHING = Answer(200, {})
# How Slack encodes typed text: https://docs.slack.dev/messaging/formatting-message-text#escaping,
# https://docs.slack.dev/interactivity/implementing-slash-commands#creating_your_command (escaping)
_LINK = re.compile(r"<(?:https?://|mailto:|tel:|[@#!])[^<>|]*\|([^<>]*)>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. Its id, the trigger_id, is in the body: `normalise` reads it."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    if request.content_type == "application/json":
        return _event(strict_json.parse_theirs(request.body))
    form = strict_form.parse(request.body)
    if form.get("ssl_check") == "1":
        return Parsed(answer=_NOTHING)
    if "payload" in form:
        return _interaction(strict_json.parse_theirs(form["payload"].encode()), request, context)
    if "command" in form:
        return _slash(form, request, context)
    return Ignored("a form that is neither a slash command nor an interaction").parsed


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Return the refusal of a slash command for a 200: Slack shows no other response.

    A press is refused here if `async_reply` has no message: after many 4xx Slack would disable the app. A temporary
    failure stays one.
    """
    try:
        form = strict_form.parse(request.body)
    except NotAForm:
        return None
    if "command" in form:
        return _ephemeral(rejected.for_people())
    temporary = rejected.status == 429 or rejected.status >= 500
    return {"events": [], "refused": rejected.detail} if "payload" in form and not temporary else None


def async_reply(request: Request, rejected: Rejected, context: Context) -> ChatReply | None:
    """Return a message for the response_url of a press, since Slack does not show the response itself.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """
    try:
        payload = strict_json.parse_theirs(strict_form.parse(request.body)["payload"].encode())
        url = payload["response_url"]
    except (NotAForm, NotJson, KeyError, TypeError):
        return None
    if not isinstance(url, str) or not allowed(url, context.config.reply_to or HOSTS):
        return None
    return ChatReply(url, {**_ephemeral(rejected.for_people()), "replace_original": False})


def _event(content: Any) -> Parsed:
    """Answer url_verification, the only known event: https://docs.slack.dev/reference/events/url_verification

    Others are ignored, not refused: Slack would send them three times, and end the subscription.
    """
    kind = text(content, "type")
    if not kind:
        raise InvalidEvent("not one of Slack's events: it has no type")
    if kind != "url_verification":
        name = clean(text(content, "event", "type") or kind)
        return Ignored(
            f"events of the kind {name}; unsubscribe from them, only buttons and slash commands are used"
        ).parsed
    return Parsed(answer=Answer(200, {"challenge": str(content.get("challenge", ""))}))


def _interaction(payload: Any, request: Request, context: Context) -> Parsed:
    """Parse a press of our buttons. The app's other interactions (shortcuts, modals, menus, its buttons) get {}."""
    actions = at(payload, "actions")
    if not (kind := text(payload, "type")) or (kind == "block_actions" and not isinstance(actions, list)):
        raise InvalidEvent("not one of Slack's interactions")
    if kind == "block_suggestion":  # a menu that loads its options
        return Parsed(answer=Answer(200, {"options": []}))
    pressed = [action for action in actions if _is_ours(action)] if kind == "block_actions" else []
    if not pressed:
        return Parsed((), _delivery(at(payload, "trigger_id")), _NOTHING)
    user, team = _object(payload, "user"), _object(payload, "team")
    account = _account(user.get("team_id") or team.get("id"), user.get("id"))
    if len(actions) > 1:
        raise InvalidEvent("the payload has several actions; a press has one")
    content = _decrypt_button(pressed[0], _object(payload, "channel").get("id"), context)
    press = buttons.press_of(content, by=account, request=request, context=context)
    address = _address(payload.get("response_url"), context)
    event = Event(press.data, _person(account, user.get("username"), context), request.received_at, reply_to=address)
    return Parsed((event,), press.delivery_id, _NOTHING, press.digest)


def _is_ours(action: Any) -> bool:
    """Return whether an action is, or pretends to be, one of our buttons other than a link."""
    name = text(action, "action_id")
    return name.startswith("registrar.") and name not in IGNORED


def _decrypt_button(action: Any, channel: object, context: Context) -> Mapping[str, Any]:
    """Decrypt a button's value, which has the promotion. It can't be forged."""
    type_ = BUTTONS.get(str(action.get("action_id"))) if isinstance(action, dict) else None
    if type_ is None:
        raise InvalidEvent(f"not a button of ours: action_id must be one of {', '.join(BUTTONS)}")
    try:
        content = buttons.decrypt(str(action.get("value")), channel=channel, context=context)
    except DecryptionError as error:
        raise InvalidEvent(str(error)) from None
    if content.get("press", type_) != type_:
        raise InvalidEvent("this button's value is another button's")
    return content


def _slash(form: Mapping[str, str], request: Request, context: Context) -> Parsed:
    typed, granted = _unescape(form.get("text", "")), context.config.grants_any
    command = parser.parse(typed, command=clean(form["command"]), granted=granted)
    answer = _shown(command.text)
    if command.data is None:
        return Parsed(answer=answer)
    actor = _person(_account(form.get("team_id"), form.get("user_id")), form.get("user_name"), context)
    address = _address(form.get("response_url"), context)
    event = Event(command.data, actor, request.received_at, reply_to=address)
    return Parsed((event,), _delivery(form.get("trigger_id")), answer, answer_of=command.answer_of(_shown))


def _shown(text: str) -> Answer:
    return Answer(200, _ephemeral(text))


def _unescape(sent: str) -> str:
    return _ENTITY.sub(lambda match: _ENTITIES[match[0]], _LINK.sub(r"\1", sent))


def _account(team: object, user: object) -> str:
    if not all(isinstance(part, str) and re.fullmatch("[A-Za-z0-9]{1,64}", part) for part in (team, user)):
        raise InvalidEvent("the request does not say who acted: the id of the team or the user is missing or malformed")
    return f"{team}/{user}"


def _person(account: str, name: object, context: Context) -> Actor:
    shown = clean(name) if isinstance(name, str) else account.partition("/")[2]
    return context.policy.actor("slack", account, shown)


def _address(url: object, context: Context) -> str | None:
    return reply_address.encrypt(str(url), kind="slack", hosts=HOSTS, context=context) if url else None


def _delivery(trigger: object) -> str | None:
    return trigger if isinstance(trigger, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,256}", trigger) else None


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _ephemeral(text: str) -> Mapping[str, Any]:
    """Return a message that only this person sees. https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"response_type": "ephemeral", "text": escaped}
