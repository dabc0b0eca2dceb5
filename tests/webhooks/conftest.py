"""A receiver on a real ledger, and senders that sign as the real ones do."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registrar.config.settings import Settings
from registrar.http import signing
from registrar.ledger import Ledger, rejections
from registrar.ledger.tables import events, tasks
from webhooks.app import create_app
from webhooks.ingress.chat_reply import ChatReply, ChatResponder

NOBODY = "redis://127.0.0.1:1/0"  # a broker that refuses connections
CI = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_" + "b2xk" * 8
SLACK = "8f742231b10e8888abcd99yyyzzz85a5"
RUN = {"model": "nyc-taxi-regressor", "run_id": "4c8ef2a1"}
REGISTRAR_YML = """
version: 1
sources:
  ci:
    kind: standard
    secrets: [env:CI_SECRET, env:OLD_SECRET]
    max_bytes: 4096
    may:
      - {events: [training_run.*, model_version.*], models: [nyc-taxi-*]}
  slack:
    kind: slack
    secrets: [env:SLACK_SECRET]
    may:
      - {events: [promotion.*, registry.query], models: ["nyc-taxi-*"]}
people:
  ada: {name: Ada, accounts: {slack: T1/U1}}
channels:
  slack: {kind: slack}
"""


@dataclass(frozen=True)
class Receiver:
    client: FlaskClient
    ledger: Ledger
    settings: Settings

    def post(self, body: bytes, headers: dict[str, str], *, to: str = "ci", **more: Any) -> TestResponse:
        return self.client.post(f"/webhooks/{to}", data=body, headers=headers, **more)

    def send(self, content: object, *, id: str | None = None, secret: str = CI, **more: Any) -> TestResponse:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.post(body, signed(body, id=id, secret=secret), **more)

    def slack(self, body: bytes, *, secret: str = SLACK) -> TestResponse:
        headers = signing.slack(secret, timestamp=datetime.now(UTC), body=body)
        return self.post(body, {"Content-Type": "application/x-www-form-urlencoded", **headers}, to="slack")

    def rows(self, table: Any) -> list[Any]:
        with self.ledger.read() as connection:
            return list(connection.execute(select(table)))

    def events(self) -> list[Any]:
        return self.rows(events)

    def tasks(self) -> list[Any]:
        return self.rows(tasks)

    def rejections(self) -> list[tuple[str, int, str]]:
        """Once all are written, which happens beside the requests."""
        self.client.application.extensions["receiver"].rejections.drain()
        with self.ledger.read() as connection:
            return [(row["source"], row["status"], row["code"]) for row in rejections.latest(connection)]


def signed(body: bytes, *, id: str | None = None, secret: str = CI, at: datetime | None = None) -> dict[str, str]:
    id, at = id or f"msg_{uuid.uuid4().hex}", at or datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        **signing.standard_webhooks(secret, id=id, timestamp=at, body=body),
    }


def finished(**data: object) -> dict[str, object]:
    return {"type": "training_run.finished", "timestamp": "2026-11-22T12:00:00Z", "data": {**RUN, **data}}


def environ(folder: Path, *, broker: str = NOBODY) -> dict[str, str]:
    config = folder / "registrar.yml"
    config.write_text(REGISTRAR_YML)
    return {
        "REGISTRAR_CONFIG": str(config),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "REGISTRAR_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
        "REGISTRAR_BROKER_URL": broker,
        "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
        "CI_SECRET": CI,
        "OLD_SECRET": OLD,
        "SLACK_SECRET": SLACK,
    }


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[ChatReply]:
    """What would have gone out to people; nothing does."""
    posted: list[ChatReply] = []

    def post(self: ChatResponder, letter: ChatReply) -> bool:
        posted.append(letter)
        return True

    monkeypatch.setattr(ChatResponder, "post", post)
    return posted


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read(environ(tmp_path))


@pytest.fixture
def receiver(ledger: Ledger, settings: Settings) -> Receiver:
    return Receiver(create_app(settings).test_client(), ledger, settings)
