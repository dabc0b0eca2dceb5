"""`registrar send` against a real HTTP server, which verifies what arrives with Standard Webhooks' own library."""

import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from registrar.cli import main
from registrar.config.key_generation import new_key, new_webhook_secret
from registrar.demo.senders import Pipeline, Run
from registrar.http.event_client import Address

ACCEPTED = {"events": [{"id": "evt_1", "type": "training_run.finished", "status_url": "/v1/events/evt_1"}]}
HUB, CHAT = "a secret of the hook's", "8f742231b10e8888abcd99yyyzzz85a5"
RUN = ("training_run.finished", "model=taxi", "run_id=0123abcd")


class Receiver(ThreadingHTTPServer):
    """Answers POSTs with `answer`, GETs with the next of `states`. received: (path, headers, body)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: tuple[int, Any] = (202, ACCEPTED)
        self.states: list[tuple[int, Any]] = []
        self.received: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def data(self) -> Any:
        return json.loads(self.received[-1][2])["data"]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self._answer(*self.server.answer)

    def do_GET(self) -> None:
        states = self.server.states
        self._answer(*(states.pop(0) if len(states) > 1 else states[0]))

    def _answer(self, status: int, content: Any) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def data(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `registrar up` leaves it."""
    config = tmp_path / "registrar.yml"
    config.write_text(
        "version: 1\nsources:\n"
        '  ci: {kind: standard, secrets: ["file:ci.whsec"]}\n'
        '  nightly: {kind: standard, secrets: ["env:NIGHTLY", "env:NIGHTLY_OLD"]}\n'
        '  hub: {kind: github, secrets: ["env:HUB"], options: {repositories: [acme/taxi]}}\n'
        '  chat: {kind: slack, secrets: ["env:CHAT"]}\n'
    )
    (tmp_path / "ci.whsec").write_text(new_webhook_secret())
    (tmp_path / "environment").write_text(
        f"REGISTRAR_CONFIG={config}\nMLFLOW_TRACKING_URI=http://none\nREGISTRAR_LEDGER_URL=sqlite://\n"
        f"REGISTRAR_BROKER_URL=redis://none\nREGISTRAR_SECRET_KEY={new_key()}\nREGISTRAR_LOCAL_URL={receiver.url}\n"
    )
    monkeypatch.setenv("NIGHTLY", new_webhook_secret())
    monkeypatch.setenv("HUB", HUB)
    monkeypatch.setenv("CHAT", CHAT)
    for name in ("REGISTRAR_CONFIG", "REGISTRAR_LOCAL_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def send(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data", str(data), "send", *arguments])


def event(state: str, **task: Any) -> dict[str, Any]:
    outcome = {"summary": "taxi version 1 was registered", "facts": []}
    whole = {"name": "worker.register", "state": state, "outcome": outcome, "error": None, **task}
    return {"id": "evt_1", "type": "training_run.finished", "state": state, "tasks": [whole]}


def test_the_receivers_own_library_accepts_the_signature(data: Path, receiver: Receiver) -> None:
    result = send(data, *RUN)
    assert (result.exit_code, receiver.received[0][0]) == (0, "/webhooks/ci")
    assert "accepted as evt_1" in result.output
    _, headers, body = receiver.received[0]
    content: Any = Webhook((data / "ci.whsec").read_text()).verify(body, headers)
    assert content["type"] == "training_run.finished"
    assert content["data"] == {"model": "taxi", "run_id": "0123abcd"}


def test_another_source_signs_with_its_first_secret(
    data: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = new_webhook_secret()
    monkeypatch.setenv("NIGHTLY", secret)
    assert send(data, *RUN, "--source", "nightly").exit_code == 0
    path, headers, body = receiver.received[0]
    assert path == "/webhooks/nightly"
    Webhook(secret).verify(body, headers)


def test_with_an_address_and_a_secret_no_installation_is_needed(tmp_path: Path, receiver: Receiver) -> None:
    secret = tmp_path / "secret"
    secret.write_text(new_webhook_secret())
    whole = f"{receiver.url}/team/webhooks/jenkins"
    result = send(tmp_path / "none", *RUN, "--to", whole, "--secret", f"file:{secret}")
    assert (result.exit_code, receiver.received[0][0]) == (0, "/team/webhooks/jenkins")
    _, headers, body = receiver.received[0]
    Webhook(secret.read_text()).verify(body, headers)


def test_dots_lead_inside_and_only_what_looks_like_json_is_json(data: Path, receiver: Receiver) -> None:
    words = ["model=taxi", "search.experiment=42", 'search.order_by=["metrics.rmse ASC"]', "commit=1e5", "tags.n=7"]
    assert send(data, "model_version.register", *words, "description=[not json").exit_code == 0
    assert receiver.data == {
        "model": "taxi",
        "search": {"experiment": "42", "order_by": ["metrics.rmse ASC"]},
        "commit": "1e5",
        "tags": {"n": "7"},
        "description": "[not json",
    }


def test_data_may_be_given_whole(data: Path, receiver: Receiver) -> None:
    assert send(data, RUN[0], "--data-json", '{"model": "taxi", "run_id": "1"}').exit_code == 0
    assert receiver.data == {"model": "taxi", "run_id": "1"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("training_run.ended", "model=x"), "known are"),
        (("model_version.archive", "model=x"), "version is missing"),
        (("model_version.archive", "model=x", "version=two"), "version is wrong: a version is a whole number"),
        (("model_version.archive", "model=x", "version=1", "modle=y"), "modle is not a field of model_version.archive"),
        (
            ("model_version.transition", "model=x", "version=1", "stage=Prod"),
            "stage is none of None, Staging, Production, Archived; did you mean Production?",
        ),
        ((*RUN, "model=again"), "model is given twice"),
        ((*RUN, "model.name=inside"), "model.name is given twice"),
        (("training_run.finished", "model"), "is not KEY=VALUE"),
        ((*RUN, "--data-json", "{}"), "not both"),
        (("training_run.finished", "--data-json", "[]"), "must be a JSON object"),
        (("training_run.finished", "--data-json", "{"), "not JSON"),
        ((*RUN, "--timestamp", "2026-11-22T12:00:00"), "with a zone"),
        ((*RUN, "--timestamp", "noon"), "ISO 8601"),
        ((*RUN, "--id", "a.b"), "letters, digits"),
        ((*RUN, "--to", "registrar.example.com"), "such as https://"),
    ],
)
def test_what_is_wrong_is_not_sent(data: Path, receiver: Receiver, arguments: tuple[str, ...], says: str) -> None:
    result = send(data, *arguments)
    assert result.exit_code == 2
    assert says in result.output
    assert not receiver.received


def test_a_secret_that_can_not_sign_is_said_and_not_shown(data: Path, receiver: Receiver) -> None:
    (data / "ci.whsec").write_text("hunter2")
    result = send(data, *RUN)
    assert result.exit_code == 2
    assert "registrar secret --webhook" in result.output
    assert "hunter2" not in result.output


def test_unchecked_it_goes_as_it_is(data: Path, receiver: Receiver) -> None:
    assert send(data, "training_run.ended", "model=x", "--no-check").exit_code == 0
    assert json.loads(receiver.received[0][2])["type"] == "training_run.ended"


def test_sent_again_with_its_id_it_is_the_same_body(data: Path, receiver: Receiver) -> None:
    send(data, *RUN, "--id", "build-7")
    receiver.answer = (200, ACCEPTED)
    result = send(data, *RUN, "--id", "build-7")
    assert (result.exit_code, "accepted before" in result.output) == (0, True)
    assert receiver.received[0][2] == receiver.received[1][2]
    assert {headers["webhook-id"] for _, headers, _ in receiver.received} == {"build-7"}


def test_here_its_end_is_asked_for_at_the_local_address_and_elsewhere_where_the_receiver_says(
    data: Path, receiver: Receiver
) -> None:
    public = "https://registrar.invalid/v1/events/evt_1"
    receiver.answer = (202, {"events": [{**ACCEPTED["events"][0], "status_url": public}]})
    told = [json.loads(send(data, *RUN, *to, "--json").output) for to in ((), ("--to", receiver.url))]
    assert [each["status_url"] for each in told] == [f"{receiver.url}/v1/events/evt_1", public]
    demo = Pipeline(Address(f"{receiver.url}/webhooks/ci", new_webhook_secret()))
    assert demo.finished(Run("r1", "", 1.0, "c0ffee"), model="taxi").status_url == told[0]["status_url"]


def test_a_refusal_is_told_in_the_receivers_words(data: Path, receiver: Receiver) -> None:
    receiver.answer = (403, {"title": "not permitted", "detail": "source ci may not send it"})
    result = send(data, *RUN)
    assert (result.exit_code, "source ci may not send it" in result.output) == (1, True)


def test_what_is_ignored_is_told_with_the_reason(data: Path, receiver: Receiver) -> None:
    receiver.answer = (200, {"events": [], "ignored": "the type 'taxi.trained' is none of Registrar's"})
    result = send(data, "taxi.trained", "model=churn", "--no-check")
    assert (result.exit_code, "ignored it: the type 'taxi.trained' is none of Registrar's" in result.output) == (
        1,
        True,
    )


@pytest.mark.parametrize("answer", [(502, "<html>bad gateway"), (202, "thanks"), (202, {"events": []}), (301, "")])
def test_whoever_answers_otherwise_has_not_taken_it(data: Path, receiver: Receiver, answer: tuple[int, Any]) -> None:
    receiver.answer = answer
    assert send(data, *RUN).exit_code == 1


def test_nobody_there_is_3(data: Path) -> None:
    result = send(data, *RUN, "--to", "http://127.0.0.1:1")
    assert (result.exit_code, "nothing listens there" in result.output) == (3, True)


def test_waiting_prints_what_came_of_it(data: Path, receiver: Receiver) -> None:
    receiver.states = [(200, event("unfinished")), (503, "restarting"), (200, event("succeeded"))]
    result = send(data, *RUN, "--wait")
    assert result.exit_code == 0
    assert "worker.register     taxi version 1 was registered" in result.output


def test_waiting_for_what_fails_is_1(data: Path, receiver: Receiver) -> None:
    receiver.states = [(200, event("failed", outcome=None, error="there is no run 0123abcd"))]
    result = send(data, *RUN, "--wait")
    assert (result.exit_code, "there is no run 0123abcd" in result.output) == (1, True)


def test_waiting_ends(data: Path, receiver: Receiver) -> None:
    receiver.states = [(200, event("unfinished"))]
    result = send(data, *RUN, "--wait", "--timeout", "0.1")
    assert (result.exit_code, "unfinished" in result.output) == (1, True)


def test_json_is_for_programs(data: Path, receiver: Receiver) -> None:
    receiver.states = [(200, event("succeeded"))]
    assert json.loads(send(data, *RUN, "--json").output)["status_url"] == f"{receiver.url}/v1/events/evt_1"
    assert json.loads(send(data, *RUN, "--json", "--wait").output)["state"] == "succeeded"


def test_a_github_source_is_told_as_github_would(data: Path, receiver: Receiver) -> None:
    result = send(data, *RUN, "--source", "hub")
    assert (result.exit_code, "accepted as evt_1" in result.output) == (0, True)
    path, headers, body = receiver.received[0]
    assert (path, headers["x-github-event"]) == ("/webhooks/hub", "repository_dispatch")
    assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(HUB.encode(), body, "sha256").hexdigest()
    assert json.loads(body)["client_payload"]["data"] == {"model": "taxi", "run_id": "0123abcd"}


def test_a_captured_request_is_signed_anew_and_its_answer_shown(data: Path, receiver: Receiver) -> None:
    receiver.answer = (200, {"text": "help is on the way"})
    (data / "help.http").write_bytes(
        b"Content-Type: application/x-www-form-urlencoded\r\nX-Slack-Signature: v0=old\r\n\r\n"
        b"command=%2Fregistry&text=help"
    )
    result = send(data, "--fixture", str(data / "help.http"), "--source", "chat")
    assert (result.exit_code, "help is on the way" in result.output) == (0, True)
    _, headers, body = receiver.received[0]
    verifier = SignatureVerifier(CHAT)
    assert verifier.is_valid(body, headers["x-slack-request-timestamp"], headers["x-slack-signature"])


def test_a_source_of_another_installation_by_its_kind(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "secret").write_text(CHAT)
    (tmp_path / "body").write_bytes(b"command=%2Fregistry&text=help")
    form = "Content-Type: application/x-www-form-urlencoded"
    there = ("--to", receiver.url, "--kind", "slack", "--source", "chat", "--secret", f"file:{tmp_path}/secret")
    result = send(tmp_path / "none", "--fixture", str(tmp_path / "body"), "--header", form, *there)
    assert (result.exit_code, receiver.received[0][0]) == (0, "/webhooks/chat")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say which event to send"),
        ((*RUN, "--source", "chat"), "can't send our events"),
        (("--fixture", "-", *RUN), "not both"),
        (("--fixture", "-", "--source", "nobody"), "no source 'nobody'"),
        (("--fixture", "-", "--header", "X"), "is not NAME:VALUE"),
        (("--fixture", "-", "--kind", "slack"), "it needs --secret and --to"),
    ],
)
def test_what_can_not_be_posted_is_said(data: Path, receiver: Receiver, arguments: tuple[str, ...], says: str) -> None:
    result = send(data, *arguments)
    assert result.exit_code in (1, 2)
    assert says in result.output
    assert not receiver.received
