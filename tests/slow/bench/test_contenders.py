"""Each contender is what the bench takes it for: it accepts what is signed, and refuses what is not."""

import http.client
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from registrar.config.key_generation import new_webhook_secret
from tests.bench import accept, load
from tests.bench.contenders import Contender, Running, adnanh, bare, handwritten, ours
from tests.bench.options import Options
from tests.needs import needs

SECRET = new_webhook_secret()
MAKERS: dict[str, Callable[[], Contender]] = {
    "ours": ours,
    "handwritten": handwritten,
    "adnanh": adnanh,
    "adnanh, waiting": partial(adnanh, waits=True),
}


def post(running: Running, sent: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.request("POST", running.path, sent, headers)
    return connection.getresponse().status


def test_a_body_is_an_event_of_931_bytes_and_never_the_same():
    one, other = load.body(), load.body()
    assert len(one) == len(other) == 931
    assert one != other
    assert json.loads(one)["type"] == "training_run.finished"


def test_all_requests_have_one_size_and_an_id_of_their_own():
    made = load.requests(50, secret=SECRET, path="/webhooks/ci")
    assert len({len(one) for one in made}) == 1
    assert len({one.partition(b"webhook-id: ")[2][:36] for one in made}) == 50


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_signed_is_accepted_and_what_is_not_is_refused(tmp_path: Path, name: str):
    check(MAKERS[name](), tmp_path)


def test_ours_does_the_same_on_postgresql(tmp_path: Path, postgres: str):
    check(ours(postgres), tmp_path)


def check(contender: Contender, folder: Path) -> None:
    if contender.name.startswith("adnanh"):
        needs("webhook", install="apt-get install webhook")
    with contender.serve(folder, SECRET) as running:
        sent = load.body()
        headers = load.signed(SECRET, sent)
        assert post(running, sent, headers) in (200, 202)
        assert post(running, load.body(), headers) >= 400, "a signature of another body"
        assert post(running, sent, load.signed(new_webhook_secret(), sent)) >= 400, "a signature with another secret"
        assert post(running, sent, {"content-type": "application/json"}) >= 400, "no signature"
        if running.accepted:
            assert running.accepted() == 1
            assert post(running, sent, headers) == 200, "the same delivery again"
            assert running.accepted() == 1


def test_the_bare_route_accepts_anything(tmp_path: Path):
    with bare().serve(tmp_path, SECRET) as running:
        assert post(running, b"{}", {}) == 202


@pytest.mark.parametrize("maker", [ours, handwritten])
def test_wrk_counts_what_is_there(tmp_path: Path, maker: Callable[[], Contender]):
    needs("wrk", install="apt-get install wrk")
    figures = accept.once(maker(), connections=4, seconds=3)  # it counts, and raises where it finds a difference
    assert figures["requests/s"] > 0
    assert figures.keys() == set(accept.COLUMNS[2:])


def test_what_is_refused_is_no_figure(tmp_path: Path):
    needs("wrk", install="apt-get install wrk")
    with handwritten().serve(tmp_path, SECRET) as running:
        forged = load.requests(2000, secret=new_webhook_secret(), path=running.path)
        with pytest.raises(load.LoadError, match="refused"):
            load.send(running.port, forged, connections=2, seconds=3, folder=tmp_path)


def test_requests_that_run_out_are_no_figure(tmp_path: Path):
    needs("wrk", install="apt-get install wrk")
    with bare().serve(tmp_path, SECRET) as running, pytest.raises(load.LoadError, match="were ready"):
        load.send(
            running.port, load.requests(5, secret=SECRET, path=running.path), connections=1, seconds=3, folder=tmp_path
        )


def test_the_better_hand_written_one_is_what_is_to_be_beaten(monkeypatch: pytest.MonkeyPatch):
    rates = {"Registrar, SQLite": 3000.0, "Registrar, SQLite, 2 processes": 2900.0, "bare route": 6000.0}
    rates |= {"hand-written, 2 processes": 1100.0}
    rates |= {"hand-written, 1 process": 1000.0, "adnanh/webhook": 3100.0, "adnanh/webhook, waiting": 900.0}

    def once(contender: Contender, connections: int, seconds: float) -> dict[str, float]:
        return dict.fromkeys(accept.COLUMNS[2:], 1.0) | {"requests/s": rates[contender.name]}

    monkeypatch.setattr(accept, "once", once)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(accept, "WORKERS", 1)
    result = accept.measure(Options(ledgers=["sqlite"], rounds=2))
    assert [row[:3] for row in result.table.rows][:2] == [
        ["Registrar, SQLite", "1", 3000.0],
        ["Registrar, SQLite, 2 processes", "1", 2900.0],
    ]
    assert len(result.table.rows) == 3 * len(rates)
    reached = {target.claim: target.reached for target in result.targets}
    assert list(reached.values()) == [False, True, True, False, True, True, True, True], reached
