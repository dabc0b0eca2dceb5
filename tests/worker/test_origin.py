"""What comes of an answer depends on who spoke: MLflow, or a proxy before it. A real proxy, a real MLflow behind it."""

import http.server
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from registrar.ledger.engine import now
from tests.mlflow_server import train
from worker.registry import origin
from worker.registry.errors import SETTLE_SECONDS
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import NotFound, PermanentError, RegistryError, RetryableError

HTML, PLAIN, JSON = "text/html", "text/plain", "application/json"
LOGIN = b"<html><body>Sign in</body></html>"
# What a proxy answers, or another server in MLflow's place.
FOREIGN = {
    "404 of a router without a route": (404, PLAIN, b"404 page not found"),
    "404 of another API": (404, JSON, b'{"message": "no Route matched with those values"}'),
    "404 of a framework": (404, JSON, b'{"detail": "Not Found"}'),
    "404 with a code of its own": (404, JSON, b'{"error_code": "no_such_host", "message": "x"}'),
    "400": (400, HTML, b"<html>400 Bad Request</html>"),
    "401": (401, PLAIN, b"You are not authenticated."),
    "403": (403, PLAIN, b"Permission denied"),
    "413": (413, HTML, b"<html>413 Request Entity Too Large</html>"),
    "429": (429, PLAIN, b"slow down"),
    "500": (500, HTML, b"<html>500</html>"),
    "502": (502, HTML, b"<html>502 Bad Gateway</html>"),
    "503": (503, HTML, b"<html>503</html>"),
    "504": (504, HTML, b"<html>504 Gateway Time-out</html>"),
    "a login page with 200": (200, HTML, LOGIN),
    "an empty 200": (200, JSON, b""),
    "Armeria's 200": (200, PLAIN, b"200 OK"),
    "MLflow's own 503": (503, JSON, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"}'),
    "a list": (200, JSON, b"[]"),
    "a redirect to a login": (302, HTML, LOGIN),
    "a redirect for good": (308, HTML, b""),
}


@dataclass
class Proxy:
    """fault: what is answered to requests whose path ends so. after: once MLflow has done what it was asked."""

    address: str = ""
    behind: str = ""
    fault: tuple[int, str, bytes] | None = None
    ends: str = ""
    after: bool = False
    cut: bool = False
    drip: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def breaks(self, path: str) -> bool:
        return (self.fault is not None or self.cut or self.drip > 0) and path.split("?", maxsplit=1)[0].endswith(
            self.ends
        )


@pytest.fixture(scope="module")
def one_proxy(mlflow_address) -> Iterator[Proxy]:
    found = Proxy(behind=mlflow_address)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            breaks = found.breaks(self.path)
            if breaks and found.fault and not found.after:
                self._say(*found.fault, found.headers)
                return
            kept = {"Content-Type": self.headers.get("Content-Type", JSON)}
            got = requests.request(self.command, found.behind + self.path, data=body, headers=kept, timeout=20)
            if breaks and found.fault:
                self._say(*found.fault, found.headers)
            else:
                self._say(got.status_code, got.headers["Content-Type"], got.content, {}, breaks=breaks)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any

        def _say(self, status: int, kind: str, body: bytes, headers: dict[str, str], *, breaks: bool = False) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            if 300 <= status < 400:
                self.send_header("Location", f"{found.address}/login")
            self.end_headers()
            if breaks and found.cut:
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif breaks and found.drip:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(found.drip)
            else:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture
def proxy(one_proxy) -> Proxy:
    """Without a fault."""
    vars(one_proxy).update(vars(Proxy(one_proxy.address, one_proxy.behind)))
    return one_proxy


@dataclass
class Here:
    """A model of one version, seen by the proxy and directly."""

    name: str
    run_id: str
    far: MlflowRegistry
    near: MlflowRegistry


@pytest.fixture(scope="module")
def here(one_proxy, mlflow_address) -> Here:
    name, run_id = f"spoken-{uuid.uuid4().hex[:8]}", train(MlflowClient(mlflow_address))
    far, near = MlflowRegistry(one_proxy.address), MlflowRegistry(mlflow_address)
    near.ensure_model(name)
    made = Here(name, run_id, far, near)
    register(made, near)
    return made


def register(here: Here, registry: MlflowRegistry) -> None:
    source = here.near.source_of(here.near.run(here.run_id), "model")
    registry.create_version(here.name, source, run_id=here.run_id, description="", tags={})


CALLS: dict[str, tuple[str, Callable[[Here], object]]] = {
    "reading a run": ("runs/get", lambda here: here.far.run(here.run_id)),
    "reading a version": ("model-versions/get", lambda here: here.far.version(here.name, 1)),
    "searching versions": ("model-versions/search", lambda here: here.far.versions(here.name)),
    "reading a model": ("registered-models/get", lambda here: here.far.model(here.name)),
    "looking for a run's model": ("artifacts", lambda here: here.far.source_of(here.far.run(here.run_id), "model")),
    "listing files": ("artifacts", lambda here: here.far.files_of(here.name, 1)),
    "registering": ("model-versions/create", lambda here: register(here, here.far)),
    "moving": ("model-versions/transition-stage", lambda here: here.far.set_stage(here.name, 1, "Staging")),
    "setting an alias": ("registered-models/alias", lambda here: here.far.set_alias(here.name, "champion", 1)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("said", FOREIGN)
def test_what_is_not_mlflows_is_tried_again(here, proxy, said, call):
    ends, act = CALLS[call]
    proxy.fault, proxy.ends = FOREIGN[said], ends
    with pytest.raises(RetryableError) as error:
        act(here)
    assert type(error.value) is RetryableError
    assert f"answered {FOREIGN[said][0]}" in str(error.value)
    proxy.fault = None
    act(here)


@pytest.mark.parametrize("said", ["502", "504", "a login page with 200", "an empty 200"])
def test_a_write_that_was_done_and_not_answered_is_found(here, proxy, said):
    proxy.fault, proxy.ends, proxy.after = FOREIGN[said], "model-versions/transition-stage", True
    here.near.set_stage(here.name, 1, "None")
    with pytest.raises(RetryableError) as error:
        here.far.set_stage(here.name, 1, "Staging")
    assert (error.value.after or 0.0) >= SETTLE_SECONDS
    assert here.near.version(here.name, 1).stage == "Staging"


def test_a_body_that_is_cut_is_no_answer(here, proxy):
    proxy.cut, proxy.ends = True, "model-versions/search"
    with pytest.raises(RetryableError):
        here.far.versions(here.name)


def test_an_answer_that_drips_is_not_waited_for_for_ever(here, proxy, monkeypatch):
    monkeypatch.setattr(origin, "LONGEST", 0.5)
    proxy.drip, proxy.ends = 0.1, "model-versions/search"
    began = time.monotonic()
    with pytest.raises(RetryableError, match=r"took longer than|does not answer"):
        here.far.versions(here.name)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("a date", 40), ("soon", None), ("-1", None)],
)
def test_who_asks_us_to_wait_is_waited_for(here, proxy, said, seconds):
    date = format_datetime(now() + timedelta(seconds=40), usegmt=True)
    asked = date if said == "a date" else said
    proxy.fault, proxy.ends, proxy.headers = FOREIGN["429"], "runs/get", {"Retry-After": asked}
    with pytest.raises(RetryableError) as error:
        here.far.run(here.run_id)
    if seconds is None:
        assert error.value.after is None
    else:
        assert error.value.after == pytest.approx(seconds, abs=10)


def test_a_redirect_is_not_followed_and_says_where_the_address_is_set(here, proxy):
    proxy.fault, proxy.ends = FOREIGN["a redirect for good"], "runs/get"
    with pytest.raises(RetryableError, match="set MLFLOW_TRACKING_URI to the address that it leads to"):
        here.far.run(here.run_id)


def test_what_mlflow_itself_says_is_believed(here, proxy):
    assert proxy.fault is None
    with pytest.raises(NotFound):
        here.far.run("0" * 32)
    with pytest.raises(NotFound):
        here.far.version(here.name, 99)
    with pytest.raises(PermanentError):
        here.far.set_alias(here.name, "latest", 1)
    assert here.far.versions(f"{here.name}-none") == []


def test_a_download_that_a_proxy_refuses_is_tried_again(here, proxy, tmp_path: Path):
    proxy.fault, proxy.ends = FOREIGN["404 of a router without a route"], "MLmodel"
    with pytest.raises(RetryableError, match="answered 404"):
        here.far.download_version(here.name, 1, tmp_path / "a")
    proxy.fault = None
    assert (here.far.download_version(here.name, 1, tmp_path / "b") / "MLmodel").is_file()


def test_a_path_that_mlflows_artifacts_refuse_is_no_matter_of_time(here, proxy, tmp_path: Path):
    assert proxy.fault is None
    with pytest.raises(RegistryError) as error:
        here.far.download_run(here.run_id, "no/such/folder", tmp_path)
    assert not error.value.retry
