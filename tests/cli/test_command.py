"""What is given to the receiver of this machine: as whom, how often, and what is said where it can't be."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from sqlalchemy import select

from registrar.ledger.tables import events
from tests.cli.setting import House, living


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url) as house:
        yield house


def asked(house: House) -> list[Any]:
    with house.harness.ledger.read() as connection:
        return list(connection.execute(select(events)))


class Between(ThreadingHTTPServer):
    """Hands requests on; of the first answer it makes what `first` says: "lost" or "429"."""

    def __init__(self, to: str, first: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to, self.first = to, first
        self.keys: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        first = len(self.server.keys) == 1
        if first and self.server.first == "429":
            self.send_response(429)
            self.send_header("Retry-After", "1")
            self.end_headers()
            return
        answer = requests.post(self.server.to + self.path, data=body, headers=dict(self.headers), timeout=10)
        if first and self.server.first == "lost":
            return  # the connection ends without a word
        self.send_response(answer.status_code)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def between(house: House, first: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    with Between(house.url, first) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("REGISTRAR_LOCAL_URL", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def test_a_command_is_the_local_operators_and_signed_by_nobody(house: House):
    assert house.run("prune", "taxi", "--no-wait").exit_code == 0
    [event] = asked(house)
    assert (event.source, event.type, event.actor) == ("web", "model.prune", "source:operator")
    assert event.delivery_id.startswith("loopback/source:operator/msg_")


def test_with_a_token_it_is_its_bearers_on_this_machine_too(house: House, monkeypatch):
    monkeypatch.setenv("REGISTRAR_TOKEN", house.run("token", "create", "bot", "--role", "operator").stdout.strip())
    assert house.run("prune", "taxi", "--no-wait").exit_code == 0
    assert asked(house)[0].actor == "token:bot"


@pytest.mark.parametrize("first", ["lost", "429"])
def test_a_command_whose_answer_was_lost_or_that_came_too_early_is_done_once(house: House, monkeypatch, first: str):
    with between(house, first, monkeypatch) as server:
        done = house.run("prune", "taxi", "--no-wait", "--json")
    assert done.exit_code == 0, done.output
    assert (len(server.keys), len(set(server.keys))) == (2, 1)
    assert [event.id for event in asked(house)] == [json.loads(done.output)["id"]]


def test_the_same_command_twice_is_asked_for_twice(house: House):
    for _ in range(2):
        assert house.run("prune", "taxi", "--no-wait").exit_code == 0
    assert len(asked(house)) == 2


def test_without_a_local_operator_it_is_said_what_to_set(tmp_path, ledger, ledger_url):
    with living(tmp_path, ledger, ledger_url, operator=None) as house:
        refused = house.run("prune", "taxi")
        assert asked(house) == []
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "with REGISTRAR_LOCAL_OPERATOR=NAME, a person of" in refused.stderr


def test_with_a_public_name_it_is_said_that_a_token_is_needed(tmp_path, ledger, ledger_url):
    with living(tmp_path, ledger, ledger_url, public="https://registrar.invalid") as house:
        refused = house.run("prune", "taxi")
        assert asked(house) == []
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "nobody is the local operator where REGISTRAR_PUBLIC_URL is another host's name" in refused.stderr
    assert "REGISTRAR_TOKEN" in refused.stderr


def test_where_the_receiver_is_not_running_it_is_said_how_to_start_it(house: House, monkeypatch):
    monkeypatch.setenv("REGISTRAR_LOCAL_URL", "http://127.0.0.1:1")
    silent = house.run("prune", "taxi")
    assert (silent.exit_code, silent.stderr.count("\n")) == (3, 1)
    assert "http://127.0.0.1:1 refuses connections: nothing listens there" in silent.stderr
    assert "`registrar up` starts it" in silent.stderr


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(house: House, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert "MLflow has no registered model 'taxi'" in house.done("prune", "taxi").output
    assert "unfinished" in house.run("send", "training_run.failed", "model=taxi", "--wait", "--timeout", "0").output


@pytest.mark.parametrize("option", [("--source", "ci"), ("--secret", "env:X"), ("--to", "http://127.0.0.1:1")])
def test_what_nobody_signs_takes_no_option_of_signing(house: House, option: tuple[str, str]):
    refused = house.run("prune", "taxi", *option)
    assert (refused.exit_code, f"No such option '{option[0]}'" in refused.stderr) == (2, True)
