"""worker.deployed: what became of a deployment is told, and the registry is left alone."""

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from registrar.events.outcome import Fact
from registrar.events.types import parse
from registrar.ledger.tables import tasks
from worker.notifications import fact_card

ONE = {"model": "taxi", "version": 1, "environment": "production"}


@pytest.fixture
def trained(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.writes.clear()
    return harness


def test_a_deployment_is_told_and_changes_nothing(trained):
    event = trained.post("deployment.succeeded", **ONE, url="https://taxi.example", commit="c0ffee")
    assert trained.fact("deployment.succeeded") == "taxi version 1 was deployed to production"
    assert trained.registry.writes == []
    assert trained.tasks_of(event) == [("deployed", "succeeded")]


def test_a_failed_deployment_is_told(trained):
    trained.post("deployment.failed", **ONE)
    assert trained.fact("deployment.failed") == "the deployment of taxi version 1 to production failed"
    assert trained.registry.writes == []


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("deployment.succeeded", "taxi version 7 was deployed to production"),
        ("deployment.failed", "the deployment of taxi version 7 to production failed"),
    ],
)
def test_of_a_version_that_the_record_does_not_know_it_is_told_as_what_somebody_reported(trained, type_, said):
    """Whoever reads a channel would take it for a fact, and a commit's status would be green by it."""
    event = trained.post(type_, **{**ONE, "version": 7}, commit="c" * 40)
    with trained.ledger.read() as connection:
        outcome = connection.execute(select(tasks.c.outcome).where(tasks.c.event_id == event).limit(1)).scalar_one()
    [fact] = outcome["facts"]
    assert trained.fact(type_) == fact["text"]
    assert fact["text"] == f"ci reported: {said}; the record knows no such version"
    assert (fact["details"]["version_known"], fact["details"]["commit"]) == (False, None)
    assert fact_card.headline(Fact(**fact)).startswith("\N{INFORMATION SOURCE} ")
    assert trained.tasks_of(event) == [("deployed", "succeeded")]


@pytest.mark.parametrize("type_", ["deployment.succeeded", "deployment.failed"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": None},
        {"environment": "a\nb"},
        {"version": "latest"},
        {"url": "javascript:alert(1)"},
        {"url": "https://good.example@evil.example/"},
        {"url": "https://x/<!channel>"},
        {"url": "https://x/\n"},
        {"command": "rm"},
    ],
)
def test_what_is_wrong_is_refused(type_, wrong):
    with pytest.raises(ValidationError):
        parse(type_, {**ONE, **wrong})
