"""Behind a real nginx, as it comes or as docs/how-to/operations.md has it, nobody is the local operator by accident."""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from registrar.config.key_generation import new_key, new_token
from registrar.config.settings import Settings
from registrar.doctor import DoctorContext as Looked
from registrar.doctor.checks import access as check
from registrar.events.event import Actor
from registrar.ledger import Ledger, tokens
from registrar.ledger.engine import now
from registrar.ledger.migrate import migrate
from registrar.local.data_folder import Folder
from registrar.local.installation import Installation
from registrar.local.services import receiver
from registrar.policy.load import load
from tests.mlflow_server import free_port
from tests.needs import needs
from tests.redis_server import serve as serve_redis

ROOT = Path(__file__).parent.parent.parent
POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI_SECRET], may: [{events: [training_run.*], models: ["*"]}]}
people:
  ada: {name: Ada, accounts: {web: ada@example.com}}
access:
  operators: [ada]
"""
TRUSTED = POLICY + "  trusted_proxy: {networks: [127.0.0.1/32], header: X-Forwarded-Email}\n"
NGINX = """
daemon off;
master_process off;
pid PREFIX/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path PREFIX/body; proxy_temp_path PREFIX/proxy; fastcgi_temp_path PREFIX/fastcgi;
    uwsgi_temp_path PREFIX/uwsgi; scgi_temp_path PREFIX/scgi;
    server {
        listen 127.0.0.1:PORT;
        LOCATION
    }
}
"""
DEFAULT = "location / { proxy_pass http://127.0.0.1:8080; }"
PUBLIC = "http://127.1"  # this machine by another name than its own, as far as its text says
WRONG = {"Authorization": f"Bearer rgt_{'x' * 43}"}


def documented() -> str:
    """The first block of docs/how-to/operations.md that is nginx's."""
    found = re.search(
        r"```nginx\n(.*?)```", (ROOT / "docs" / "how-to" / "operations.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[1]


@dataclass(frozen=True)
class Proxied:
    """A receiver, an nginx before it, and a token of an operator's role."""

    local: str
    through: str
    settings: Settings
    token: str

    def ask(self, path: str = "/v1/policy", **headers: str) -> requests.Response:
        return requests.get(f"{self.through}{path}", headers=headers, timeout=10)

    def levels(self, **changed: Any) -> list[str]:
        """What `registrar doctor` says of it."""
        at = Looked(
            Path("nowhere"), Settings.read({**self.settings.environ, **changed}), load(self.settings.config_path)
        )
        return [found.level for found in check.check(at)]


Start = Callable[..., Proxied]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    nginx = needs("nginx", install="apt-get install nginx", elsewhere="usr/sbin")
    with ExitStack() as running:
        redis = running.enter_context(serve_redis(tmp_path_factory.mktemp("redis"), free_port()))

        def started(*, policy: str = POLICY, location: str = DEFAULT, public: str | None = None) -> Proxied:
            """public: REGISTRAR_PUBLIC_URL; else nginx's address by PUBLIC."""
            folder, port, front = tmp_path_factory.mktemp("proxied"), free_port(), free_port()
            site = _site(folder, policy, port, f"redis://127.0.0.1:{redis.port}/0", public or f"{PUBLIC}:{front}")
            environ = site.environ({"PATH": "/usr/bin:/bin", "CI_SECRET": f"whsec_{'b2xk' * 8}"})
            settings = Settings.read(environ)
            token = _token(settings)
            running.enter_context(_process(receiver(site).command, port, folder / "receiver.log", environ))
            config = folder / "nginx.conf"
            upstream = location.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            text = NGINX.replace("LOCATION", upstream).replace("PORT", str(front)).replace("PREFIX", str(folder))
            config.write_text(text)
            command = (nginx, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log"))
            running.enter_context(_process(command, front, folder / "nginx.log", environ))
            return Proxied(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{front}", settings, token)

        yield started


def _site(folder: Path, policy: str, port: int, broker: str, public: str) -> Installation:
    (folder / "registrar.yml").write_text(policy)
    return Installation(
        Folder(folder),
        folder / "registrar.yml",
        {"receiver": port},
        secret_key=new_key(),
        mlflow="http://127.0.0.1:1",
        broker=broker,
        public_url=public,
        operator="ada",
    )


def _token(settings: Settings) -> str:
    """Of a ledger that is made here."""
    secret = new_token()
    ledger = Ledger(settings.ledger_url)
    migrate(ledger)
    with ledger.write() as connection:
        made = tokens.Token("deploy", tokens.digest(secret), "operator", None, now())
        tokens.create(connection, made, Actor("test", "test"))
    ledger.close()
    return secret


@contextmanager
def _process(command: tuple[str, ...], port: int, log: Path, environ: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=said, stderr=said)
    try:
        _wait(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on {port}: {log.read_text()}")


@pytest.fixture(scope="module")
def unconfigured(start: Start) -> Proxied:
    return start()


@pytest.fixture(scope="module")
def configured(start: Start) -> Proxied:
    return start(policy=TRUSTED, location=documented())


def test_through_an_nginx_as_it_comes_nobody_is_the_local_operator(unconfigured: Proxied):
    answer = unconfigured.ask()
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert "`registrar token create`" in answer.json()["detail"]
    assert unconfigured.ask("/").status_code == 401
    assert unconfigured.ask("/metrics").status_code == 401


def test_nor_is_who_asks_the_receiver_itself(unconfigured: Proxied):
    """The two requests are the same."""
    assert requests.get(f"{unconfigured.local}/v1/policy", timeout=10).status_code == 401


def test_a_token_and_the_probes_work_through_it(unconfigured: Proxied):
    assert unconfigured.ask(Authorization=f"Bearer {unconfigured.token}").status_code == 200
    assert unconfigured.ask("/readyz").status_code == 200


def test_the_doctor_sees_a_receiver_that_lets_the_world_in(start: Start):
    """Started as if nothing stood in front: what nginx passes on is the local operator's."""
    open_ = start(public="http://127.0.0.1:8080")
    assert open_.ask().status_code == 200
    port = open_.through.rpartition(":")[2]
    assert open_.levels(REGISTRAR_PUBLIC_URL=f"{PUBLIC}:{port}") == ["FAIL", "FAIL"]


def test_the_doctor_has_no_complaint_of_one_that_does_not(unconfigured: Proxied):
    assert unconfigured.levels() == ["ok", "ok"]


def asked_from(address: str, at: Proxied, **headers: str) -> int:
    """The status for who comes to nginx from another address of this machine."""
    with requests.Session() as session:
        session.mount("http://", _From(address))
        return session.get(f"{at.through}/v1/policy", headers={**WRONG, **headers}, timeout=10).status_code


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, source_address=(self._address, 0), **more)


def test_through_a_configured_one_each_client_has_a_budget_of_its_own(configured: Proxied):
    """Of wrong tokens: 30 a minute. There is no Redis here, so each of the two processes counts for itself."""
    answers = [asked_from("127.0.0.2", configured) for _ in range(150)]
    assert 30 <= answers.count(401) <= 60
    assert set(answers[-10:]) == {429}
    assert asked_from("127.0.0.2", configured, **{"X-Forwarded-For": "203.0.113.9"}) == 429
    assert asked_from("127.0.0.3", configured) == 401


def test_through_a_configured_one_nobody_is_who_they_say_they_are(configured: Proxied):
    assert configured.ask(**{"X-Forwarded-Email": "ada@example.com"}).status_code == 401
    assert configured.ask(**{"X_Forwarded_Email": "ada@example.com"}).status_code == 401


def test_a_header_with_an_underscore_is_not_the_one_with_dashes(configured: Proxied):
    """Asked from the proxy's own place."""
    url = f"{configured.local}/v1/policy"
    assert requests.get(url, headers={"X-Forwarded-Email": "ada@example.com"}, timeout=10).status_code == 200
    for name in ("X_Forwarded_Email", "X-Forwarded_Email", "X_Forwarded-Email"):
        assert requests.get(url, headers={name: "ada@example.com"}, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "name",
    [
        "SCRIPT_NAME",
        "PATH_INFO",
        "Script-Name",
        "Path-Info",
        "X-Script-Name",
        "X-Forwarded-Prefix",
        "X-Forwarded-Path",
        "X-Original-Url",
        "X-Rewrite-Url",
    ],
)
@pytest.mark.parametrize("value", ["/v1", "/healthz", "/elsewhere"])
def test_no_header_becomes_part_of_a_path(configured: Proxied, name: str, value: str):
    """Asked from the proxy's own place."""
    url = f"{configured.local}/v1/policy"
    plain = requests.get(url, timeout=10)
    answer = requests.get(url, headers={name: value}, timeout=10)
    assert (answer.status_code, answer.json()) == (plain.status_code, plain.json())
