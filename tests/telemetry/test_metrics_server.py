"""An address of its own for metrics: it shows them and nothing else, and never stands in the way."""

import socket
import threading

import pytest
import requests

from registrar.config.settings import Settings, SettingsError
from registrar.telemetry import metrics_server
from registrar.telemetry.metrics_server import MetricsServer
from registrar.telemetry.observability_settings import address
from tests.telemetry.test_redaction import ENVIRON


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def asked(port: int, path: str = "/metrics") -> requests.Response:
    """Once it listens."""
    for _ in range(200):
        try:
            return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        except requests.ConnectionError:
            threading.Event().wait(0.05)
    raise TimeoutError(port)


def test_it_shows_the_text_and_nothing_else():
    port = free_port()
    with MetricsServer(("127.0.0.1", port), lambda: b"registrar_up 1\n"):
        answer = asked(port)
        assert (answer.status_code, answer.text) == (200, "registrar_up 1\n")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert asked(port, "/").status_code == 404
        assert requests.post(f"http://127.0.0.1:{port}/metrics", timeout=10).status_code == 501


def test_an_address_that_is_taken_is_taken_over_when_it_is_free(monkeypatch, caplog):
    monkeypatch.setattr(metrics_server, "TAKEN", 0.05)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        late = MetricsServer(("127.0.0.1", port), lambda: b"mine\n")
        late.start()
        while "tried every" not in caplog.text:
            threading.Event().wait(0.01)
    assert asked(port).text == "mine\n"
    late.__exit__()


@pytest.mark.parametrize("given", ["9102", "127.0.0.1", "http://127.0.0.1:9102", "127.0.0.1:x", "127.0.0.1:1/metrics"])
def test_what_is_no_address_is_named(given):
    with pytest.raises(SettingsError, match="REGISTRAR_WORKER_METRICS: an address such as"):
        Settings.read({**ENVIRON, "REGISTRAR_WORKER_METRICS": given})


def test_what_is_an_address():
    assert address("[::1]:9102") == ("::1", 9102)
    there = Settings.read({**ENVIRON, "REGISTRAR_METRICS": "10.0.0.5:9101"}).watching.receiver_metrics
    assert there == ("10.0.0.5", 9101)
    assert Settings.read(ENVIRON).watching.worker_metrics is None
