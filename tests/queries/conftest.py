"""A record with something of everything in it."""

from dataclasses import dataclass
from datetime import datetime

import pytest

from registrar.events.event import Actor, Event
from registrar.events.outcome import Cause, LedgerChange, Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, rejections, tasks
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.promotions import PromotionRequested, PromotionStateChanged
from registrar.ledger.votes import VoteCast
from registrar.policy import Policy
from registrar.policy.load import parse as parse_policy
from registrar.queries.local import LocalQueries
from tests.ledger.chain import EVIDENCE, NOON

POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: ["env:CI"], may: [{events: ["*"], models: ["*"]}]}
people:
  ada: {name: Ada}
  bob: {name: Bob, delegate: {to: cyd, until: 2099-12-31}}
  cyd: {name: Cyd}
  eve: {name: Eve, accounts: {mlflow: eve@example.com}}
groups:
  leads: [ada, bob]
  risk: [eve, "source:ci"]
models:
  taxi:
    targets:
      - stage: Production
        alias: champion
        approval:
          rules: [{group: leads}, {group: risk}]
          exclude: [requester, author]
          break_glass: {group: leads}
"""


@dataclass
class Town:
    """event() accepts one at a time of its own, and ends its first task."""

    ledger: Ledger
    count: int = 0

    def event(
        self,
        type_: str = "training_run.failed",
        *records: LedgerChange,
        by: str = "source:ci",
        source: str = "ci",
        state: str | None = "succeeded",
        at: datetime | None = None,
        **data: object,
    ) -> str:
        self.count += 1
        at = at or NOON.replace(minute=self.count % 60, hour=12 + self.count // 60)
        event = Event(parse(type_, {"model": "taxi", **data}), Actor(by, by.removeprefix("source:").title()), at)
        with self.ledger.write() as connection:
            receipt = accept(connection, Delivery(source, f"msg_{self.count}", "b" * 64), [event], at=at)
            if state:
                task = tasks.claim(connection, receipt.task_messages[0].task_id, at=at)
                assert task
                ended = Outcome("done", records=records) if state == "succeeded" else Outcome(f"it is {state}")
                tasks.finish(connection, task, state, ended, at=at)
        return receipt.events[0][0]

    def write(self, event_id: str, *records: LedgerChange, by: str = "ada", at: datetime = NOON) -> None:
        with self.ledger.write() as connection:
            for record in records:
                record.apply(connection, Cause(event_id, by, by.title(), at))

    def refusal(self, source: str = "ci") -> None:
        with self.ledger.write() as connection:
            rejections.record(connection, source=source, status=401, code="bad_signature", detail="no", size=7, at=NOON)


@pytest.fixture
def town(ledger: Ledger) -> Town:
    return Town(ledger)


@pytest.fixture
def policy() -> Policy:
    return parse_policy(POLICY)


@pytest.fixture
def local(ledger: Ledger, policy: Policy) -> LocalQueries:
    return LocalQueries(ledger, lambda: policy)


def promoted(town: Town) -> tuple[str, str]:
    """The ids of a promotion that came about, and of one that waits for approval."""
    done = PromotionRequested("taxi", 1, "Production", {**EVIDENCE, "trained_by": "eve@example.com"})
    asked = town.event("promotion.request", by="ada", version=1, target="Production")
    town.write(asked, done, at=NOON)
    approved = town.event("promotion.approve", by="ada", source="slack", version=1)
    town.write(approved, VoteCast(done.id, "approve", True, "fine"), PromotionStateChanged(done.id, "promoted"))
    town.write(approved, HoldingStarted("taxi", "stage", "Production", 1, alone=True, promotion=done.id))
    waits = PromotionRequested("taxi", 2, "Production", {**EVIDENCE, "trained_by": "eve@example.com"})
    town.write(asked, waits, by="cyd", at=NOON.replace(hour=13))
    return done.id, waits.id
