"""A receiver that is asked over HTTP gives what the ledger here gives; and what goes wrong on the way is a sentence."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography.fernet import Fernet
from werkzeug.serving import make_server

from registrar.config.settings import Settings
from registrar.http.api_client import BadAddress, Client, NotAllowed
from registrar.http.event_client import NotTaken, Unreachable
from registrar.ledger.queries.event_search import EventFilter
from registrar.ledger.queries.holdings import HistoryFilter
from registrar.queries.local import LocalQueries
from registrar.queries.query_service import BadQuestion, Page, QueryService, Unknown
from registrar.queries.remote import RemoteQueries
from tests.ledger.chain import NOON
from tests.queries.conftest import POLICY, Town, promoted
from webhooks.app import create_app


@pytest.fixture
def remote(tmp_path, ledger, ledger_url) -> Iterator[RemoteQueries]:
    (tmp_path / "registrar.yml").write_text(POLICY)
    environ = {
        "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "REGISTRAR_LEDGER_URL": ledger_url,
        "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",
        "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
        "CI": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    server = make_server("127.0.0.1", 0, create_app(Settings.read(environ)), threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    yield RemoteQueries(Client(f"http://127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()


Ask = Callable[[QueryService, list[str]], Any]
QUESTIONS: dict[str, Ask] = {
    "events": lambda reading, ids: reading.events(EventFilter()),
    "events, a page": lambda reading, ids: reading.events(EventFilter(model="taxi"), limit=2),
    "events, the next page": lambda reading, ids: reading.events(
        EventFilter(), limit=2, cursor=reading.events(EventFilter(), limit=2).next
    ),
    "events, sought": lambda reading, ids: reading.events(
        EventFilter("ci", "training_run.failed", "taxi", "source:ci", "dead", NOON, NOON + timedelta(hours=9))
    ),
    "an event": lambda reading, ids: reading.event(ids[0]),
    "promotions": lambda reading, ids: reading.promotions(),
    "promotions that are open": lambda reading, ids: reading.promotions(state="open", model="taxi"),
    "a promotion": lambda reading, ids: reading.promotion(ids[1]),
    "one that waits": lambda reading, ids: reading.promotion(ids[2]),
    "models": lambda reading, ids: reading.models(),
    "a model": lambda reading, ids: reading.model("taxi"),
    "a version": lambda reading, ids: reading.version("taxi", 2),
    "history": lambda reading, ids: reading.history("taxi"),
    "history at a time": lambda reading, ids: reading.history("taxi", HistoryFilter(at=NOON + timedelta(hours=5))),
    "history of an alias": lambda reading, ids: reading.history(
        "taxi", HistoryFilter("@champion", None, NOON - timedelta(hours=5), NOON + timedelta(hours=5)), limit=1
    ),
    "two versions": lambda reading, ids: reading.compare("taxi", 1, 2),
    "queue": lambda reading, ids: reading.queue(model="taxi", limit=1),
    "dead": lambda reading, ids: reading.dead(model="taxi", state="dead"),
    "a dead one": lambda reading, ids: reading.dead_one(reading.dead().rows[0]["id"]),
    "rejections": lambda reading, ids: reading.rejections(source="ci"),
    "overview": lambda reading, ids: reading.overview(),
    "policy": lambda reading, ids: reading.policy(),
    "policy of a model": lambda reading, ids: reading.policy(model="taxi"),
    "audit": lambda reading, ids: list(reading.audit(model="taxi", since=NOON - timedelta(days=1))),
    "audit after": lambda reading, ids: list(reading.audit(after=2)),
}


def test_a_receiver_elsewhere_gives_what_the_ledger_here_gives(remote: RemoteQueries, local: LocalQueries, town: Town):
    done, waits = promoted(town)
    dead = town.event(state="dead")
    town.refusal()
    for name, ask in QUESTIONS.items():
        here, there = ask(local, [dead, done, waits]), ask(remote, [dead, done, waits])
        assert plain(here), name
        assert plain(there) == plain(here), name


def plain(answer: Any) -> str:
    """Times are told from texts that look like them."""
    told = {"rows": list(answer.rows), "next": answer.next} if isinstance(answer, Page) else answer
    return json.dumps(
        told, indent=1, default=lambda value: {"time": value.isoformat()} if isinstance(value, datetime) else 1 / 0
    )


def test_what_is_not_there_and_what_can_not_be_meant_are_the_same_errors(
    remote: RemoteQueries, local: LocalQueries, town: Town
):
    promoted(town)
    for reading in (remote, local):
        for ask in (reading.event, reading.promotion, reading.model, reading.dead_one):
            for nothing in ("nothing at all", "a/b", "..", "", "%2e"):
                with pytest.raises(Unknown):
                    ask(nothing)
        with pytest.raises(Unknown, match=r"the record knows no version 9 of taxi: it has"):
            reading.version("taxi", 9)
        with pytest.raises(Unknown, match=r"the ledger knows no model taxy; did you mean taxi\?"):
            reading.version("taxy", 1)
        with pytest.raises(Unknown, match=r"the ledger knows no model taxy; did you mean taxi\?"):
            reading.history("taxy")
        with pytest.raises(BadQuestion, match="cursor must be"):
            reading.events(EventFilter(), cursor="x")
        with pytest.raises(Unknown, match="knows no model"):
            reading.compare("nothing at all", 1, 2)
        with pytest.raises(BadQuestion, match="two different versions"):
            reading.compare("taxi", 1, 1)
        with pytest.raises(BadQuestion):
            reading.promotions(state="done")
        with pytest.raises(BadQuestion, match="None, Staging, Production, Archived, or an alias such as @champion"):
            reading.history("taxi", HistoryFilter("champion"))


class Stub(BaseHTTPRequestHandler):
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
    asked: list[dict[str, str]] = []

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[tuple[type[Stub], str]]:
    class Own(Stub):
        asked: list[dict[str, str]] = []

    server = HTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Own, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.mark.parametrize(
    ("answer", "token", "error", "said"),
    [
        ((401, PROBLEM, b'{"code": "not_signed_in"}'), "t", NotAllowed, "knows no such token"),
        ((401, PROBLEM, b'{"code": "not_signed_in"}'), None, NotAllowed, "REGISTRAR_TOKEN, or --token-file FILE"),
        ((403, PROBLEM, b'{"code": "not_permitted", "detail": "this takes operator"}'), "t", NotAllowed, "operator"),
        ((302, {"Location": "https://evil.example/"}, b""), "t", BadAddress, "sends on to https://evil.example/"),
        ((200, {}, b"<html>"), None, NotTaken, "is the address right"),
        ((404, {}, b"nginx"), None, NotTaken, "is the address right"),
        ((422, PROBLEM, b'{"code": "version_unclear", "detail": "name one"}'), "t", NotTaken, "^name one$"),
        ((503, PROBLEM, b'{"code": "unavailable", "detail": "the ledger is away"}'), None, NotTaken, "ledger is away"),
    ],
)
def test_what_a_receiver_refuses_is_a_sentence(stub, answer, token, error, said):
    own, url = stub
    own.answer = answer
    with pytest.raises(error, match=said):
        Client(url, token).get("overview")


def test_a_token_is_sent_as_it_should_and_no_login_of_a_netrc_in_its_place(stub, tmp_path, monkeypatch):
    own, url = stub
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Client(url, "rt_1").get("overview")
    Client(url).get("overview")
    assert [asked.get("Authorization") for asked in own.asked] == ["Bearer rt_1", None]


@pytest.mark.parametrize(
    "url", ["http://registrar.example.com", "http://10.0.0.1:8080", "http://127.0.0.1.evil.example"]
)
def test_a_token_is_never_sent_in_the_clear_but_to_this_machine(url):
    with pytest.raises(BadAddress, match="whoever is on the way could read it"):
        Client(url, "rt_1")
    assert "rt_1" not in repr(Client("https://registrar.example.com", "rt_1"))


@pytest.mark.parametrize("url", ["registrar.example.com", "ftp://x", "https://", "https://u:p@x", "https://x/?q=1"])
def test_what_is_no_address_is_said(url):
    with pytest.raises(BadAddress):
        Client(url)


def test_nobody_there_is_said():
    with pytest.raises(Unreachable, match="refuses connections: nothing listens there; is it up"):
        Client("http://127.0.0.1:9").get("overview")
    with pytest.raises(Unreachable, match="a name that does not resolve here"):
        Client("https://registrar.invalid").get("overview")
