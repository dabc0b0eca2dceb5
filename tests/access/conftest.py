"""A receiver whose policy says who may use it, and a page of it that changes something."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from registrar.ledger import Ledger
from registrar.settings import Settings
from tests.webhooks.conftest import environ
from webhooks.access import Access
from webhooks.app import create_app
from webhooks.commands import Commands

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
    def access(self) -> Access:
        return self.app.extensions["access"]

    @property
    def commands(self) -> Commands:
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
