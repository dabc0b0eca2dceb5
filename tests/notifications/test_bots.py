"""What a chat's API says to a bot, and what the worker makes of it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import requests

from tests.notifications.chatroom import ChatRoom
from tests.notifications.test_notifiers import ASKED, ENCRYPTOR, MOVED, ended, notice
from worker.notifications.notifiers import Notification, discord, mattermost, slack
from worker.notifications.transport import http_post as posting
from worker.registry.protocol import AmbiguousError, PermanentError, RetryableError

TOKEN = "xoxb-very-secret"
ID = "i" * 26


@pytest.fixture
def room() -> Iterator[ChatRoom]:
    with ChatRoom() as opened:
        yield opened


@pytest.fixture
def session() -> requests.Session:
    return requests.Session()


def to_slack(room: ChatRoom, told: Notification | None = None, **more: object) -> Notification:
    return replace(told or notice(ASKED), **{"secret": TOKEN, **more, "options": slack_options(room)})


def slack_options(room: ChatRoom) -> dict[str, str]:
    return {"channel": "C0123", "api": f"{room.root}/slack/"}


def answered(room: ChatRoom, body: object, status: int = 200) -> None:
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    room.answer = lambda call: (status, said)


LATER = [
    "accesslimited",
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
]


@pytest.mark.parametrize("error", LATER)
def test_what_passes_by_itself_in_slack_is_tried_again(room, session, error):
    answered(room, {"ok": False, "error": error})
    with pytest.raises(RetryableError, match=f"Slack answered {error}") as caught:
        slack.post(to_slack(room), session, ENCRYPTOR)
    assert not isinstance(caught.value, AmbiguousError)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("not_in_channel", "invite the bot"),
        ("channel_not_found", "options.channel"),
        ("missing_scope", "chat:write"),
        ("invalid_auth", "invalid_auth"),
        ("invalid_blocks", "invalid_blocks"),
    ],
)
def test_what_somebody_must_mend_is_final_and_says_what(room, session, error, advice):
    answered(room, {"ok": False, "error": error})
    for call in (
        lambda: slack.post(to_slack(room), session, ENCRYPTOR),
        lambda: slack.edit(to_slack(room, ended()), '{"channel": "C0123", "ts": "1.1"}', session, ENCRYPTOR),
    ):
        with pytest.raises(PermanentError, match=advice) as caught:
            call()
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[" * 100_000, {"ok": "yes"}, {"ok": False}, {"ok": False, "error": "<!channel>"}]
)
def test_an_answer_of_slack_that_makes_no_sense_is_doubted_a_few_times_only(room, session, body):
    answered(room, body)
    with pytest.raises(AmbiguousError, match="can't be read"):
        slack.post(to_slack(room), session, ENCRYPTOR)


def test_slacks_api_is_told_to_parse_nothing_and_whose_token_it_is(room, session):
    ref = slack.post(to_slack(room), session, ENCRYPTOR)
    slack.edit(to_slack(room, ended()), ref, session, ENCRYPTOR)
    posted, edited = room.calls
    assert (posted.path, edited.path) == ("/slack/chat.postMessage", "/slack/chat.update")
    for call in room.calls:
        assert call.headers["Authorization"] == f"Bearer {TOKEN}"
        assert (call.said["parse"], call.said["link_names"], call.said["channel"]) == ("none", False, "C0123")
    assert edited.said["ts"] == json.loads(ref)["ts"]


@pytest.mark.parametrize("kind", [slack, mattermost])
def test_a_bot_without_a_token_says_what_to_add(room, session, kind):
    options = slack_options(room) if kind is slack else {"channel_id": ID}
    told = replace(notice(MOVED, room.root, None), options=options)
    with pytest.raises(PermanentError, match="add secret: env:NAME"):
        kind.post(told, session, ENCRYPTOR)


def test_a_card_of_another_channel_is_no_thread_of_this_one(room, session):
    thread = json.dumps({"channel": "C9999", "ts": "1.1"})
    slack.post(to_slack(room, notice(MOVED), thread=thread), session, ENCRYPTOR)
    assert "thread_ts" not in room.calls[0].said


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({}, True),
        ({"channel": "C0123"}, True),
        ({"channel": "#general"}, False),
        ({"api": "https://slack-gov.com/api"}, True),
        ({"api": "http://slack.example.com/api"}, False),
        ({"colour": "red"}, False),
    ],
)
def test_slacks_options_are_checked_before_the_first_message(options, right):
    try:
        slack.Options.model_validate(options)
    except ValueError:
        assert not right
    else:
        assert right


def test_a_mattermost_bot_posts_and_edits_by_the_api(room, session):
    told = replace(notice(ASKED, f"{room.root}/mattermost/", TOKEN), options={"channel_id": ID})
    ref = mattermost.post(told, session, ENCRYPTOR)
    mattermost.edit(replace(told, until=None, end="it ended"), ref, session, ENCRYPTOR)
    posted, edited = room.calls
    assert (posted.method, posted.path) == ("POST", "/mattermost/api/v4/posts")
    assert (posted.said["channel_id"], posted.said["pending_post_id"]) == (ID, "tsk_1")
    assert (edited.method, edited.path) == ("PUT", f"/mattermost/api/v4/posts/{json.loads(ref)['id']}/patch")
    assert edited.said["message"] == "it ended"
    assert "actions" not in edited.said["props"]["attachments"][0]
    assert {call.headers["Authorization"] for call in room.calls} == {f"Bearer {TOKEN}"}


def test_a_discord_webhook_keeps_what_its_address_says(room, session):
    told = notice(MOVED, f"{room.root}/discord/webhooks/8/tok?thread_id=5", None)
    with pytest.raises(PermanentError):  # the room knows no threads: only the addresses matter
        discord.post(told, session, ENCRYPTOR)
    with pytest.raises(PermanentError):
        discord.edit(told, '{"id": "900"}', session, ENCRYPTOR)
    assert [call.path for call in room.calls] == [
        "/discord/webhooks/8/tok?thread_id=5&wait=true",
        "/discord/webhooks/8/tok/messages/900?thread_id=5",
    ]


@pytest.mark.parametrize("body", [b"", b"nonsense", b'{"id": "../../x"}', b'{"id": 5}', b"[" * 100_000])
@pytest.mark.parametrize("kind", [mattermost, discord])
def test_a_message_whose_name_is_not_understood_is_posted_and_can_not_be_edited(room, session, kind, body):
    answered(room, body)
    options = {"channel_id": ID} if kind is mattermost else {}
    assert kind.post(replace(notice(ASKED, room.root, TOKEN), options=options), session, ENCRYPTOR) is None
    assert len(room.calls) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("kind", [slack, mattermost, discord])
def test_a_bots_message_that_may_work_later_is_tried_again(room, session, kind, status):
    answered(room, {}, status)
    options = {slack: slack_options(room), mattermost: {"channel_id": ID}, discord: {}}[kind]
    with pytest.raises(RetryableError, match=f"answered {status}"):
        kind.post(replace(notice(ASKED, room.root, TOKEN), options=options), session, ENCRYPTOR)


@contextmanager
def dripping(piece: bytes, *, every: float) -> Iterator[str]:
    """A server that answers 200 and then sends one piece after the other, for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                while not done.wait(every):
                    connection.sendall(piece)
            except OSError:
                pass

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x"
    done.set()
    thread.join()
    server.close()


def test_an_answer_that_drips_holds_no_worker(session, monkeypatch):
    monkeypatch.setattr(posting, "BODY_SECONDS", 0.3)
    with dripping(b" ", every=0.05) as url:
        began = time.monotonic()
        assert posting.ask(session, "POST", url, {}, {}) == {}
    assert time.monotonic() - began < 5


def test_an_answer_without_end_is_not_kept(session):
    with dripping(b" " * 65_536, every=0.0) as url:
        answer = posting.exchange(session, url, b"{}", {})
    assert (answer.status, answer.body) == (200, b"")
