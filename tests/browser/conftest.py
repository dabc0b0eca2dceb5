"""`registrar up`, a person at its machine, and their browser: Debian's Chromium, driven by Playwright."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page, sync_playwright

from registrar.keys import new_webhook_secret
from registrar.settings import from_folder
from tests.e2e.conftest import CONFIG, Installation, running
from tests.e2e.sender import PATIENCE, Sender
from tests.mlflow_server import train
from tests.needs import needs

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Site:
    """A running installation, where Ada sits at the machine."""

    stack: Installation
    sender: Sender
    mlflow: MlflowClient

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


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("browsed")
    secrets = {"ci.whsec": new_webhook_secret(), "slack.secret": "slack signing secret"}
    others = {"serving.url": "http://127.0.0.1:1/", "serving.whsec": new_webhook_secret()}
    for name, content in {"registrar.yml": CONFIG, **secrets, **others}.items():
        (home / name).write_text(content, encoding="utf-8")
    with running(home / "data", "--config", str(home / "registrar.yml"), REGISTRAR_LOCAL_OPERATOR="ada"):
        stack = Installation(home / "data", from_folder(home / "data"), *secrets.values())
        yield Site(stack, Sender(stack), MlflowClient(stack.settings.mlflow_uri))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = needs("chromium", install="apt-get install chromium")
    with sync_playwright() as playwright:
        # Without a sandbox of its own, since CI may run as root; it visits our own pages only.
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A tab whose console must stay silent: what the CSP forbids is said there."""
    opened = browser.new_page(base_url=site.url, viewport=DESKTOP)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    opened.close()
    assert said == []
