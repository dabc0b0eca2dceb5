"""A receiver whose policy says who may use it, a page of it that changes something, and people's browsers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flask
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from tests.auth.provider import CLIENT_SECRET, OidcProvider, serving
from tests.webhooks.conftest import environ
from webhooks.app import create_app
from webhooks.auth import Authenticator
from webhooks.ingress.command_submission import CommandSubmission

POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI_SECRET], may: [{events: [training_run.*], models: ["*"]}]}
  operator: {kind: standard, secrets: [env:OLD_SECRET]}
people:
  ada: {name: Ada}
  bob: {name: Bob}
groups:
  leads: [ada, "source:operator"]
models:
  taxi: {targets: [{stage: Staging, approval: automatic}, {stage: Production, approval: {rules: [{group: leads}]}}]}
"""
LOCAL = "http://127.0.0.1:8080"
SIGNED_IN = POLICY.replace("{name: Ada}", "{name: Ada, accounts: {email: ada@example.com}}").replace(
    "{name: Bob}", "{name: Bob, accounts: {web: bob-7}}"
)
ACCESS = """
access:
  operators: [ada]
  oidc: {issuer: ISSUER, client_id: registrar, client_secret: env:OIDC_SECRET}
"""


@dataclass(frozen=True)
class Site:
    """The receiver with a page, /try, that is for operators."""

    app: flask.Flask
    ledger: Ledger
    settings: Settings

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def access(self) -> Authenticator:
        return self.app.extensions["access"]

    @property
    def commands(self) -> CommandSubmission:
        return self.app.extensions["commands"]

    def asked(self, **how: Any) -> flask.Request:
        """A request as it arrives; by default from this machine."""
        given = {"base_url": LOCAL, "environ_base": {"REMOTE_ADDR": "127.0.0.1"}, **how}
        return self.app.test_request_context("/try", **given).request


Make = Callable[..., Site]


@pytest.fixture
def make(ledger: Ledger, tmp_path: Path) -> Make:
    def made(
        *, policy: str = POLICY, operator: str | None = None, secrets: dict[str, str] | None = None, **changed: Any
    ) -> Site:
        settings = Settings.read({**environ(tmp_path), **(secrets or {})})
        settings.config_path.write_text(policy)
        settings = replace(settings, local_operator=operator, **changed)
        app = create_app(settings)
        site = Site(app, ledger, settings)

        @app.route("/try", methods=["GET", "POST"])
        def tried() -> dict[str, str]:
            who = site.access.require(flask.request, "operator")
            return {"who": who.actor.id, "by": who.by, "csrf": site.access.csrf_token(who)}

        return site

    return made


@dataclass(frozen=True)
class Web:
    """The receiver at an address of this machine, and the provider that its people sign in at."""

    site: Site
    url: str
    provider: OidcProvider

    def browser(self) -> requests.Session:
        return requests.Session()

    def signed_in(self, **more: str) -> tuple[requests.Session, requests.Response]:
        """A browser that went to /signin, and where it came out."""
        browser = self.browser()
        return browser, browser.get(f"{self.url}/signin", params=more, timeout=30)

    def who(self, browser: requests.Session) -> Any:
        return browser.get(f"{self.url}/try", timeout=30).json()

    def sent_back(self, browser: requests.Session) -> str:
        """As far as the provider's redirect to us, which is not followed."""
        there = browser.get(f"{self.url}/signin", allow_redirects=False, timeout=30)
        return browser.get(there.headers["Location"], allow_redirects=False, timeout=30).headers["Location"]


Start = Callable[..., Web]


@pytest.fixture
def start(make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    with ExitStack() as running:

        def started(access: str = ACCESS, **changed: Any) -> Web:
            provider = running.enter_context(serving())
            policy = SIGNED_IN + access.replace("ISSUER", provider.issuer)
            site = make(policy=policy, secrets={"OIDC_SECRET": CLIENT_SECRET}, **changed)
            server = make_server("127.0.0.1", 0, site.app, threaded=True)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            running.callback(lambda: (server.shutdown(), thread.join(), server.server_close()))
            return Web(site, f"http://127.0.0.1:{server.server_port}", provider)

        yield started


@pytest.fixture
def web(start: Start) -> Web:
    return start()
