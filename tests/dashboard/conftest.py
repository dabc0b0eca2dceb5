"""A receiver whose ledger has a past, and a person at its machine who may do all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from registrar.config.settings import Settings
from registrar.events.event import Actor, Event
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, rejections, tasks
from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.promotions import PromotionRequested
from registrar.ledger.votes import VoteCast
from registrar.policy import load
from tests.webhooks.conftest import environ
from webhooks.app import create_app

AT_HOME = {"base_url": "http://127.0.0.1:8080", "environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
FROM_OUTSIDE = {"base_url": "https://registrar.example", "environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}
HOSTILE = "<script>alert('model')</script>"
REGISTRAR_YML = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI_SECRET], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada Approver}
  bob: {name: Bob}
groups: {leads: [ada, bob]}
models:
  "*":
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        gates: [{metric: rmse, op: "<", threshold: 7}]
        approval: {rules: [{group: leads, required_approvals: 2}]}
"""


@dataclass(frozen=True)
class House:
    """The receiver, with what was written into its ledger."""

    client: FlaskClient
    ledger: Ledger
    settings: Settings

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **{**AT_HOME, **more})

    def post(self, path: str, form: Mapping[str, str], **more: Any) -> TestResponse:
        return self.client.post(path, data=form, **{**AT_HOME, **more})

    def happened(
        self,
        type_: str,
        data: Mapping[str, Any],
        *outcomes: Outcome,
        state: str = "succeeded",
        error: str | None = None,
    ) -> str:
        """An event whose tasks, one after the other, left these outcomes behind; the last one ended in `state`."""
        at = datetime.now(UTC)
        event = Event(parse(type_, dict(data)), Actor("source:ci", "ci"), at)
        with self.ledger.write() as connection:
            delivery = Delivery("ci", f"{type_} {at.isoformat()}", "0" * 64)
            receipt = accept(connection, delivery, [event], at=at)
            task_message = receipt.task_messages[0].task_id
            for nth, outcome in enumerate(outcomes, 1):
                claimed = tasks.claim(connection, task_message, at=at)
                assert claimed
                last = nth == len(outcomes)
                ended = (state, error) if last else ("succeeded", None)
                rung = tasks.finish(connection, claimed, ended[0], outcome, error=ended[1], at=at)
                task_message = rung[0].task_id if rung else ""
        return receipt.events[0][0]

    def refused(self, detail: str) -> None:
        with self.ledger.write() as connection:
            told = {"source": "ci", "status": 401, "code": "bad_signature", "size": 931, "at": datetime.now(UTC)}
            rejections.record(connection, **told, detail=detail)


def registered(model: str, version: int, **metrics: float) -> Outcome:
    text = f"{model} version {version} was registered from run r{version}, by ci"
    details = {"run_id": f"r{version}", "metrics": metrics, "commit": "c0ffee"}
    again = (FollowUp("worker.request", {"version": version, "target": "Staging"}),)
    return Outcome(text, (Fact("model_version.registered", text, model, version, details),), again)


def held_back(model: str, version: int, reason: str) -> Outcome:
    text = f"{model} version {version} was held back from Staging: {reason}"
    details = {"target": "Staging", "reasons": [reason]}
    return Outcome(text, (Fact("model_version.held_back", text, model, version, details),))


def asked(house: House, model: str, version: int, **more: Any) -> PromotionRequested:
    """A record of a request for Production, under the policy in effect."""
    gate = {"gate": "rmse < 7", "passed": True, "reason": "rmse 6.5 is < 7", "value": 6.5}
    digest = load(house.settings.config_path).digest(model)
    evidence = {"run_id": "r1", "source": "models:/m-1", "model_digest": "d" * 64, "gates": [gate]}
    return PromotionRequested(model, version, "Production", {**evidence, "policy_digest": digest}, **more)


def asking(record: PromotionRequested) -> Fact:
    details = {"promotion": record.id, "target": "Production", "metrics": {"rmse": 6.5, "r2": 0.9}, "commit": "c0ffee"}
    details |= {"champion": {"version": 1, "of": "@champion", "metrics": {"rmse": 6.9}}, "replaces": [1]}
    text = f"{record.model} version {record.version} waits for approval"
    return Fact("promotion.awaiting_approval", text, record.model, record.version, details)


@pytest.fixture
def house(ledger: Ledger, tmp_path: Path) -> House:
    settings = Settings.read({**environ(tmp_path), "REGISTRAR_LOCAL_OPERATOR": "ada"})
    settings.config_path.write_text(REGISTRAR_YML)
    settings = replace(settings, mlflow_uri="https://user:pass@mlflow.example/base")
    return House(create_app(settings).test_client(), ledger, settings)


@dataclass(frozen=True)
class Lived:
    """ids of what is in a ledger with a past."""

    house: House
    event: str
    failed: str
    held_back: str
    promotion: str
    task: str


@pytest.fixture
def lived(house: House) -> Lived:
    """Of the model taxi: version 1 in Production, 2 asked for, 3 held back; and work that failed; all just now."""
    held = tuple(HoldingStarted("taxi", kind, key, 1) for kind, key in (("stage", "Production"), ("alias", "champion")))
    first = {"model": "taxi", "run_id": "r1"}
    house.happened("training_run.finished", first, registered("taxi", 1, rmse=6.9), Outcome("moved", records=held))
    opened = asked(house, "taxi", 2)
    vote = VoteCast(opened.id, "approve", False, "ci may not approve it")
    event = house.happened(
        "training_run.finished",
        {"model": "taxi", "run_id": "r2"},
        registered("taxi", 2, rmse=6.5),
        Outcome("asked", (asking(opened),), records=(opened, HoldingStarted("taxi", "alias", "challenger", 2), vote)),
    )
    back = house.happened(
        "training_run.finished",
        {"model": "taxi", "run_id": "r3"},
        registered("taxi", 3, rmse=8.1),
        held_back("taxi", 3, "rmse 8.1 is not < 7"),
    )
    gone = Outcome(f"{HOSTILE} is gone")
    failed = house.happened(
        "model_version.describe",
        {"model": "<b>bold", "version": 1, "description": "x"},
        gone,
        state="failed",
        error=f"{HOSTILE} is gone",
    )
    house.refused(f"no signature of the source ci fits {HOSTILE}")
    with house.ledger.read() as connection:
        task = next(one.id for one in list_dead_letters(connection))
    return Lived(house, event, failed, back, opened.id, task)
