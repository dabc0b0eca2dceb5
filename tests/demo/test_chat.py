"""The demo's chat and deploy system, over HTTP."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests

from registrar.config.key_generation import new_webhook_secret
from registrar.demo.chat import MAX_BYTES, Chat, Message
from registrar.http import signing

SECRET = new_webhook_secret()
CARD = {
    "text": "for notifications",
    "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": ":raised_hand: taxi version 2 waits: rmse &lt; 7"}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "requested by ci"}]},
        {
            "type": "actions",
            "elements": [
                {"type": "button", "action_id": "registrar.approve", "value": "sealed", "text": {"text": "Approve"}}
            ],
        },
    ],
}


@pytest.fixture
def shown() -> list[Message]:
    return []


@pytest.fixture
def chat(shown: list[Message]) -> Iterator[Chat]:
    with Chat(port=0, token="t0ken", deploy_secret=SECRET, show=shown.append) as opened:
        yield opened


def deploy(
    chat: Chat, secret: str = SECRET, body: bytes = b'{"type":"x","data":{"text":"moved"}}'
) -> requests.Response:
    headers = signing.standard_webhooks(secret, id="tsk_1", timestamp=datetime.now(UTC), body=body)
    return requests.post(chat.deploy_url, data=body, headers=headers, timeout=5)


def test_a_card_is_shown_as_people_read_it(chat: Chat, shown: list[Message]) -> None:
    assert requests.post(chat.team_chat_url, json=CARD, timeout=5).text == "ok"
    assert shown[0].place == "team-chat"
    assert shown[0].lines == ["✋ taxi version 2 waits: rmse < 7", "  requested by ci"]
    assert [(button.label, button.value) for button in shown[0].buttons.values()] == [("Approve", "sealed")]


def test_a_message_that_is_here_already_is_found(chat: Chat) -> None:
    requests.post(chat.team_chat_url, json=CARD, timeout=5)
    found = chat.wait(lambda message: "registrar.approve" in message.buttons, seconds=1)
    assert found is not None


def test_waiting_ends_in_time(chat: Chat) -> None:
    assert chat.wait(lambda message: True, seconds=0.1) is None


def test_an_answer_to_a_click_has_a_place_of_its_own(chat: Chat, shown: list[Message]) -> None:
    requests.post(chat.reply_url("r1"), json={"text": "no"}, timeout=5)
    assert (shown[0].place, shown[0].text) == ("reply/r1", "no")


def test_the_deploy_system_takes_what_is_signed(chat: Chat, shown: list[Message]) -> None:
    assert deploy(chat).status_code == 200
    assert shown[0].text == "x: moved"


def test_the_deploy_system_refuses_another_secret(chat: Chat, shown: list[Message]) -> None:
    assert deploy(chat, new_webhook_secret()).status_code == 401
    assert requests.post(chat.deploy_url, data=b"{}", timeout=5).status_code == 401
    assert not shown


def test_the_chat_refuses_who_does_not_know_its_address(chat: Chat, shown: list[Message]) -> None:
    for url in (chat.team_chat_url[:-1], chat.team_chat_url.removesuffix("/t0ken"), chat.deploy_url + "/t0ken/x"):
        assert requests.post(url, json=CARD, timeout=5).status_code == 404
    assert not shown


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"blocks": 7}', b'{"blocks": [{}]}', b"\xff"])
def test_what_is_no_message_is_a_400(chat: Chat, shown: list[Message], body: bytes) -> None:
    assert requests.post(chat.team_chat_url, data=body, timeout=5).status_code == 400
    assert not shown


def test_too_much_is_a_413(chat: Chat) -> None:
    with socket.create_connection(("127.0.0.1", chat.port), timeout=5) as connection:
        connection.sendall(f"POST /deploy HTTP/1.1\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(100)


def test_a_port_that_is_taken_is_left(chat: Chat) -> None:
    with Chat(port=chat.port, token="other", deploy_secret=SECRET, show=print) as second:
        assert second.port != chat.port
        assert requests.post(second.team_chat_url, data=json.dumps(CARD), timeout=5).ok
