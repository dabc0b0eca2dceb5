"""`registrar up`, people at its machine and elsewhere, and their browsers: Debian's Chromium, driven by Playwright.

Who is elsewhere reaches it by TLS, under a name, and signs in at a provider over real HTTP.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import folder_environment, from_folder
from tests.auth.provider import CLIENT_SECRET, OidcProvider, serving
from tests.e2e.installation import CONFIG, Installation, running
from tests.e2e.sender import PATIENCE, Sender
from tests.mlflow_server import free_port, train
from tests.needs import needs
from tests.slow.browser.front import RESOLVED, Front, front

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Bob approves some models, and Eve is nobody of ours.
PEOPLE = {name: f"{name.lower()}@example.com" for name in ("Ada", "Bob", "Vera", "Eve")}
ACCESS = """
access:
  viewers: [vera]
  operators: [ada]
  oidc: {issuer: "ISSUER", client_id: registrar, client_secret: "file:oidc.secret"}
"""


@dataclass(frozen=True)
class Site:
    """A running installation, where Ada sits at the machine. public: where those who don't reach it."""

    stack: Installation
    sender: Sender
    mlflow: MlflowClient
    provider: OidcProvider
    public: str

    @property
    def url(self) -> str:
        return str(self.stack.settings.public_url)

    def happened(self, type_: str, **data: Any) -> dict[str, Any]:
        """What became of an event, once all is done."""
        answer = self.sender.post(type_, **data)
        assert answer.status_code == 202, answer.text
        return self.done(answer.json()["events"][0]["id"])

    def done(self, event_id: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            event: dict[str, Any] = requests.get(f"{self.url}/v1/events/{event_id}", timeout=10).json()
            if event["state"] != "unfinished":
                return event
            assert time.monotonic() < until, event
            time.sleep(0.3)

    def trained(self, model: str, rmse: float) -> dict[str, Any]:
        """A run, posted by CI."""
        return self.happened("training_run.finished", model=model, run_id=train(self.mlflow, rmse=rmse))

    def evaluated(self, model: str, version: int) -> dict[str, Any]:
        """A report; it has failed where there is no such version, and can be tried again when there is."""
        run = self.mlflow.create_run("0", tags={"evaluated_model": f"models:/{model}/{version}"}).info.run_id
        self.mlflow.set_terminated(run)
        return self.happened("evaluation_run.finished", model=model, version=version, run_id=run)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("browsed")
    secrets = {"ci.whsec": new_webhook_secret(), "slack.secret": "slack signing secret"}
    others = {"serving.url": "http://127.0.0.1:1/", "serving.whsec": new_webhook_secret(), "oidc.secret": CLIENT_SECRET}
    with ExitStack() as open_:
        provider, before = open_.enter_context(serving()), open_.enter_context(front(home))
        for name, content in {"registrar.yml": _config(provider), **secrets, **others}.items():
            (home / name).write_text(content, encoding="utf-8")
        config = str(home / "registrar.yml")
        open_.enter_context(running(home / "data", "--config", config, REGISTRAR_LOCAL_OPERATOR="ada"))
        open_.enter_context(_named(home / "data", before))
        stack = Installation(home / "data", from_folder(home / "data"), *secrets.values())
        yield Site(stack, Sender(stack), MlflowClient(stack.settings.mlflow_uri), provider, before.url)


def _config(provider: OidcProvider) -> str:
    signing_in = "  vera: {name: Vera, accounts: {email: vera@example.com}}\n"
    people = CONFIG.replace("{slack: T1/UADA}", "{slack: T1/UADA, email: ada@example.com}")
    people = people.replace("{slack: T1/UBOB}", "{slack: T1/UBOB, email: bob@example.com}")
    people = people.replace("people:\n", f"people:\n{signing_in}")
    return people + ACCESS.replace("ISSUER", provider.issuer)


@contextmanager
def _named(data: Path, before: Front) -> Iterator[None]:
    """A second receiver on the same ledger, which the front stands before: under its public name nobody is the local
    operator, so it can't be the one that who sits at the machine uses.
    """
    before.upstream = free_port()
    environ = {**os.environ, **folder_environment(data), "REGISTRAR_PUBLIC_URL": before.url}
    command = [sys.executable, "-m", "webhooks.serve", "--port", str(before.upstream)]
    with (data / "logs/named.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE
        while not _answers(f"http://127.0.0.1:{before.upstream}/healthz"):
            assert process.poll() is None, (data / "logs/named.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = needs("chromium", install="apt-get install chromium")
    expect.set_options(timeout=30_000)  # milliseconds; five seconds are no promise on a busy machine
    with sync_playwright() as playwright:
        # Without a sandbox of its own, since CI may run as root; it visits our own pages only.
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", RESOLVED])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A tab whose console must stay silent: what the CSP forbids is said there."""
    opened = browser.new_page(base_url=site.url, viewport=DESKTOP)
    said = heard(opened)
    yield opened
    opened.close()
    assert said == []


def heard(page: Page) -> list[str]:
    """What its console says, as it comes."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


Elsewhere = Callable[..., BrowserContext]


@pytest.fixture
def elsewhere(browser: Browser, site: Site) -> Iterator[Elsewhere]:
    """A person's browser on another machine; the provider knows them by `name`."""
    contexts: list[BrowserContext] = []

    def came(name: str, **more: Any) -> BrowserContext:
        site.provider.claims = {"sub": name, "email": PEOPLE[name], "name": name}
        given = {"base_url": site.public, "viewport": DESKTOP, "ignore_https_errors": True, **more}
        contexts.append(browser.new_context(**given))
        return contexts[-1]

    yield came
    for context in contexts:
        context.close()
