"""A plan to prune says of every version what would become of it, and does nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.version_state import Key, StateSet
from tests.worker.harness import ADA, POLICY
from worker.promotions.plan import PlanContext
from worker.registry.entities import ModelSource
from worker.registry.protocol import NotFound, RetryableError
from worker.retention.plan import PrunePlan, plan_prune

KEPT = POLICY.replace("  taxi:\n", "  taxi:\n    retention: {keep_last: 2, older_than: 30d, grace: 7d}\n")


@pytest.fixture
def harness(harness):
    """Six old versions: 1 is marked and due, 2 holds an alias and is marked, 3 is marked, 4 is new to it."""
    harness.policy(KEPT)
    harness.registry.ensure_model("taxi")
    for n in range(1, 7):
        harness.registry.create_version("taxi", ModelSource(f"models:/m-{n}"), run_id="r", description="", tags={})
        harness.registry._change("taxi", n, created_at=now() - timedelta(days=100))
        harness.registry.files[f"models/taxi/{n}"] = {"MLmodel": b"1234567890"}
    harness.registry.set_alias("taxi", "shadow", 2)
    for n, days in ((1, -1), (2, -1), (3, 2)):
        stamp = (now() + timedelta(days=days)).isoformat()
        harness.registry.set_tag("taxi", n, Key.PRUNE_AFTER, stamp)
        created_at = harness.registry.version("taxi", n).created_at
        harness.record(StateSet("taxi", n, created_at, Key.PRUNE_AFTER, stamp))
    return harness


def planned(harness) -> PrunePlan:
    before = (list(harness.registry.writes), harness.facts())
    found = plan_prune(PlanContext(harness.registry, harness.context.policy, harness.ledger, now()), "taxi")
    assert before == (list(harness.registry.writes), harness.facts())
    return found


def test_every_version_has_a_step_and_what_changes_comes_first(harness):
    found = planned(harness)
    assert found.state == "ready"
    assert [(row.version, row.step, row.bytes) for row in found.rows] == [
        (1, "delete", 10),
        (4, "mark", 10),
        (2, "spare", None),
        (3, "wait", 10),
        (6, "stay", None),
        (5, "stay", None),
    ]
    assert found.title == (
        "taxi version 1 would be deleted (10 bytes); taxi version 4 would be marked for deletion (10 bytes)"
    )


def test_each_says_why_and_when(harness):
    found = {int(row[0]): row[2:] for row in planned(harness).table().rows}
    assert found[1][:2] == ("is deleted", f"its mark ended {now() - timedelta(days=1):%Y-%m-%d %H:%M} UTC")
    assert found[2] == ("stays, loses its mark", "it holds @shadow", "")
    assert found[3][:2] == ("is marked already", f"may be deleted after {now() + timedelta(days=2):%Y-%m-%d %H:%M} UTC")
    assert found[4][0] == "is marked"
    assert found[6] == ("stays", "it is one of the newest 2", "")


def test_a_prune_does_what_the_plan_says(harness):
    harness.post("model.prune", model="taxi")
    assert sorted(harness.stages()) == [2, 3, 4, 5, 6]
    found = planned(harness)
    assert (found.state, found.title) == ("nothing to do", "Nothing of taxi would be deleted or marked now")
    assert [row.version for row in found.rows if row.step == "wait"] == [4, 3]


def test_without_retention_every_version_stays(harness):
    harness.policy(POLICY)
    assert {row.reasons for row in planned(harness).rows} == {("registrar.yml has no retention for taxi",)}


def test_a_registry_that_does_not_answer_is_no_plan(harness):
    harness.registry.fail["size_of"] = RetryableError("MLflow does not answer")
    with pytest.raises(RetryableError):
        planned(harness)


def test_a_model_that_is_not_there_is_said(harness):
    with pytest.raises(NotFound):
        plan_prune(PlanContext(harness.registry, harness.context.policy, harness.ledger, now()), "nobody")


def answer(harness, **data) -> str:
    event = harness.post("registry.query", by=ADA, **data)
    with harness.ledger.read() as connection:
        row = connection.execute(select(tasks.c.outcome).where(tasks.c.event_id == event)).scalar_one()
    return str(row["summary"])


def test_both_plans_are_answered_in_chat(harness):
    said = answer(harness, question="plan_prune", model="taxi")
    assert "taxi version 1 would be deleted (10 bytes)" in said
    assert "it holds @shadow" in said
    harness.registry.trained("r", rmse=5.0)
    said = answer(harness, question="plan", model="taxi", version=6, target="Staging")
    assert "taxi version 6 to Staging: ready" in said
    assert "then: None -> Staging" in said
