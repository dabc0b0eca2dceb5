"""The Flask view and the ASGI application are two adapters over one endpoint: to the same request, the same answer."""

import asyncio
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import flask
import pytest

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from tests.sources.captured import captures, read
from tests.sources.household import household
from tests.sources.test_fixtures import HOSTILE_BODIES, named
from tests.webhooks import conftest
from tests.webhooks.conftest import OLD, environ, finished
from webhooks.app import create_app
from webhooks.asgi import Asgi
from webhooks.ingress import endpoint, error_handlers, rejection_log

# Status, headers, body.
Said: TypeAlias = tuple[int, dict[str, str], str]
COMPARED = ("content-type", "content-length", "cache-control", "x-content-type-options", "retry-after", "allow")


@dataclass(frozen=True)
class Both:
    """Each with a ledger of its own, so that both hear a request for the first time."""

    flask: flask.Flask
    asgi: Asgi

    def say(self, path: str, body: bytes, headers: dict[str, str], *, method: str = "POST") -> tuple[Said, Said]:
        lower = {name.lower(): value for name, value in headers.items() if name.lower() != "content-length"}
        return self._flask(method, path, body, lower), asyncio.run(self._asgi(method, path, body, lower))

    def _flask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Said:
        said = self.flask.test_client().open(quote(path), method=method, data=body, headers=headers)
        return said.status_code, _compared(said.headers.items()), _without_ids(said.data)

    async def _asgi(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Said:
        lines = {"host": "localhost", "content-length": str(len(body))} | headers
        scope = {
            **{"type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path},
            **{"raw_path": path.encode(), "query_string": b"", "root_path": ""},
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in lines.items()],
            **{"client": ("127.0.0.1", 4444), "server": ("localhost", 80)},
        }
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not pieces:  # until the client hangs up, which it does not
                await asyncio.Event().wait()
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.asgi(scope, receive, send)
        found = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return sent[0]["status"], _compared(found), _without_ids(b"".join(one.get("body", b"") for one in sent[1:]))


def _compared(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if name.lower() in COMPARED}


def _without_ids(body: bytes) -> str:
    return re.sub("evt_[0-9a-f]+", "evt_", body.decode())


@contextmanager
def opened(blank: Path, folder: Path, told: Mapping[str, str]) -> Iterator[Both]:
    """told: environment."""
    with ExitStack() as stack:
        apps = []
        for name in ("flask", "asgi"):
            ledger = folder / f"{name}.db"
            shutil.copy(blank, ledger)
            app = create_app(Settings.read({**told, "REGISTRAR_LEDGER_URL": f"sqlite:///{ledger}"}))
            stack.callback(app.extensions["ledger"].close)
            stack.callback(app.extensions["receiver"].close)
            apps.append(app)
        yield Both(apps[0], Asgi(apps[1]))


@pytest.fixture(autouse=True)
def when_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver's clock stands where requests were signed: a test that waits its turn for minutes is not stale."""
    monkeypatch.setattr(endpoint, "now", lambda: SIGNED_AT)


@pytest.fixture
def both(blank: Path, tmp_path: Path) -> Iterator[Both]:
    with opened(blank, tmp_path, environ(tmp_path)) as apps:
        yield apps


@pytest.fixture(scope="module")
def all_kinds(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """With every sender that fixtures come from."""
    folder = tmp_path_factory.mktemp("kinds")
    policy, secrets = household()
    told = {**environ(folder), **secrets}
    Path(told["REGISTRAR_CONFIG"]).write_text(policy)
    with opened(blank, folder, told) as apps:
        yield apps


@pytest.mark.parametrize("path", named(captures()))
def test_a_captured_request_is_answered_the_same_and_so_is_its_repetition(all_kinds: Both, path: Path, monkeypatch):
    capture = read(path)
    monkeypatch.setattr(endpoint, "now", lambda: capture.request.received_at)
    to = f"/webhooks/{capture.sender.context.name}"
    for _ in range(2):
        by_flask, by_asgi = all_kinds.say(to, capture.request.body, dict(capture.request.headers))
        assert by_flask == by_asgi
        assert by_flask[0] < 500


BODY = json.dumps(finished()).encode()
SIGNED_AT = datetime.now(UTC)
signed = partial(conftest.signed, at=SIGNED_AT)
SIGNED = signed(BODY, id="msg_1")
REFUSED = {
    "unknown source": ("/webhooks/nobody", BODY, SIGNED, {404}),
    "controls in a source": ("/webhooks/a\x00\nb", BODY, SIGNED, {404}),
    "a long source": ("/webhooks/" + "c" * 300, BODY, SIGNED, {404}),
    "no source": ("/webhooks/", BODY, SIGNED, {404}),
    "below a source": ("/webhooks/ci/more", BODY, SIGNED, {404}),
    "not signed": ("/webhooks/ci", BODY, {"Content-Type": "application/json"}, {401}),
    "another secret": ("/webhooks/ci", BODY, signed(BODY, secret="whsec_" + "bm9w" * 8), {401}),
    "the older secret": ("/webhooks/ci", BODY, signed(BODY, id="msg_1", secret=OLD), {202}),
    "no content type": ("/webhooks/ci", BODY, {**SIGNED, "Content-Type": ""}, {415}),
    "another content type": ("/webhooks/ci", BODY, {**SIGNED, "Content-Type": "text/plain"}, {415}),
    "a parameter": ("/webhooks/ci", BODY, {**SIGNED, "Content-Type": "Application/JSON; charset=utf-8"}, {202}),
    "compressed": ("/webhooks/ci", BODY, {**SIGNED, "Content-Encoding": "gzip"}, {415}),
    "too large": ("/webhooks/ci", BODY.ljust(4097), SIGNED, {413}),
    "not granted": ("/webhooks/ci", b"", {}, {403}),
    "no event": ("/webhooks/ci", b"", {}, {422}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_answered_the_same(both: Both, name: str):
    path, body, headers, statuses = REFUSED[name]
    if name == "not granted":
        body = json.dumps(finished(model="churn")).encode()
    if name == "no event":
        body = json.dumps(finished(model="a/b")).encode()
    by_flask, by_asgi = both.say(path, body, headers or signed(body))
    assert by_flask == by_asgi
    assert {by_flask[0]} == statuses


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_a_senseless_body_is_answered_the_same(both: Both, body: bytes):
    by_flask, by_asgi = both.say("/webhooks/ci", body, signed(body))
    assert by_flask == by_asgi
    assert 400 <= by_flask[0] < 500 or "is none of Registrar's" in by_flask[2]


def test_a_delivery_id_with_another_body_is_answered_the_same(both: Both):
    other = json.dumps(finished(run_id="other")).encode()
    both.say("/webhooks/ci", BODY, SIGNED)
    by_flask, by_asgi = both.say("/webhooks/ci", other, signed(other, id="msg_1"))
    assert by_flask == by_asgi
    assert by_flask[0] == 409


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_another_method_is_answered_the_same(both: Both, method: str):
    by_flask, by_asgi = both.say("/webhooks/ci", b"", {}, method=method)
    assert by_flask == by_asgi
    assert by_flask[0] == 405


def test_an_address_that_sends_garbage_is_answered_the_same(both: Both, monkeypatch):
    monkeypatch.setattr(error_handlers, "REFUSALS", "2/minute")
    said = [both.say("/webhooks/nobody", b"", {}) for _ in range(4)]
    assert [by_asgi[0] for _, by_asgi in said] == [by_flask[0] for by_flask, _ in said] == [404, 404, 429, 429]


def test_a_ledger_that_is_locked_is_answered_the_same(both: Both):
    with ExitStack() as stack:
        for app in (both.flask, None):
            url = app.extensions["ledger"].engine.url if app else both.asgi._receiver.inbox._ledger.engine.url
            stack.enter_context(stack.enter_context(closing(Ledger(url))).write())
        by_flask, by_asgi = both.say("/webhooks/ci", BODY, SIGNED)
    assert by_flask == by_asgi
    assert (by_flask[0], by_flask[1]["retry-after"]) == (503, "5")


def test_a_fault_of_ours_is_answered_the_same(both: Both, monkeypatch, caplog):
    monkeypatch.setattr(endpoint, "clean", None)
    by_flask, by_asgi = both.say("/webhooks/nobody", BODY, SIGNED)
    assert by_flask == by_asgi
    assert by_flask[0] == 500
    assert caplog.text.count("Traceback") == 2


def test_both_record_the_same(both: Both, monkeypatch):
    written: list[tuple[Any, ...]] = []

    def insert(self: object, *row: Any) -> None:
        written.append(row)

    monkeypatch.setattr(rejection_log.RejectionLog, "_insert", insert)
    for path, body, headers in (
        ("/webhooks/nobody", b"x", {}),
        ("/webhooks/ci", BODY, {"Content-Type": "application/json"}),
        ("/webhooks/ci", b" " * 5000, SIGNED),
        ("/webhooks/ci", BODY, {**SIGNED, "Content-Type": "text/plain"}),
    ):
        both.say(path, body, headers)
    for app in (both.flask.extensions["receiver"], both.asgi._receiver):
        app.rejections.drain()
    assert Counter(written) == dict.fromkeys(written, 2), written
