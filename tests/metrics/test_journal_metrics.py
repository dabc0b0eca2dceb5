"""What has happened, by the journal: outcomes, votes, and how long each leg from training to live took."""

import pytest

from tests.metrics.reading import away, scraped
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, WorkerHarness
from webhooks.monitoring.metrics.journal_metrics import JournalCollector

HOUR = 3600
UNCOUNTED = "registrar_journal_uncounted_entries"
TAXI = ("taxi", "Production")
DEPLOYED = POLICY.replace(
    "{rules: [{group: leads}]}",
    "{rules: [{group: leads}]}, deploy: {to: [log], confirm_within: 15m, on_failure: rollback}",
)


def counted(harness: WorkerHarness) -> dict[str, dict[tuple[str, ...], float]]:
    return scraped(JournalCollector(harness.ledger, harness.context.policy))


def promoted(harness: WorkerHarness, run: str, *, rmse: float) -> int:
    harness.registry.trained(run, rmse=rmse)
    harness.registry.files[f"models/taxi/{max(harness.stages(), default=0) + 1}"] = {"MLmodel": b"flavors: {}\n"}
    harness.post("training_run.finished", model="taxi", run_id=run)
    version = max(harness.stages())
    harness.later(hours=2)
    harness.post("promotion.approve", by=ADA, model="taxi", version=version)
    return version


@pytest.mark.both_ledgers
def test_a_promotion_leaves_its_legs(harness):
    promoted(harness, "r1", rmse=5.0)
    found = counted(harness)
    assert found["registrar_promotions_total"] == {("taxi", "Staging", "promoted"): 1, (*TAXI, "promoted"): 1}
    assert found["registrar_approvals_total"] == {(*TAXI, "granted"): 1}
    assert found["registrar_votes_total"] == {("approve", "yes"): 1}
    legs = {
        labels[2]: seconds for labels, seconds in found["registrar_lead_time_seconds_sum"].items() if labels[:2] == TAXI
    }
    assert set(legs) == {
        "trained_to_registered",
        "registered_to_requested",
        "requested_to_decided",
        "decided_to_promoted",
        "trained_to_promoted",
    }
    assert legs["requested_to_decided"] == pytest.approx(2 * HOUR, abs=60)
    assert legs["trained_to_promoted"] == pytest.approx(sum(legs.values()) / 2, abs=1)
    decided = found["registrar_approval_decision_seconds_sum"]
    assert decided == {(*TAXI, "granted"): pytest.approx(2 * HOUR, abs=60)}


def test_what_did_not_come_about_is_counted_by_why(harness):
    for run in ("r1", "r2"):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
    harness.post("promotion.approve", by=EVE, model="taxi", version=2)
    harness.post("promotion.reject", by=BOB, model="taxi", version=2)
    found = counted(harness)
    assert {labels: n for labels, n in found["registrar_promotions_total"].items() if labels[:2] == TAXI} == {
        (*TAXI, "superseded"): 1,
        (*TAXI, "rejected"): 1,
    }
    assert found["registrar_approvals_total"] == {(*TAXI, "superseded"): 1, (*TAXI, "rejected"): 1}
    assert found["registrar_votes_total"] == {("approve", "no"): 1, ("reject", "yes"): 1}


def test_a_restart_and_a_second_receiver_count_the_same(harness):
    one = JournalCollector(harness.ledger, harness.context.policy)
    scraped(one)
    promoted(harness, "r1", rmse=5.0)
    assert scraped(one) == counted(harness)


def test_nothing_is_counted_twice(harness):
    promoted(harness, "r1", rmse=5.0)
    one = JournalCollector(harness.ledger, harness.context.policy)
    assert scraped(one) == scraped(one)


def test_a_ledger_that_is_away_leaves_what_was_counted(harness):
    promoted(harness, "r1", rmse=5.0)
    one = JournalCollector(harness.ledger, harness.context.policy)
    before = scraped(one)
    with away(harness.ledger):
        assert scraped(one) == {name: found for name, found in before.items() if name != UNCOUNTED}


def test_what_people_took_back_is_timed(harness):
    promoted(harness, "r1", rmse=5.0)
    promoted(harness, "r2", rmse=4.0)
    assert "registrar_rollback_seconds_count" not in counted(harness)
    harness.post("model.rollback", by=ADA, model="taxi", reason="it drifts")
    assert harness.holding()["Production"] == [1]
    assert counted(harness)["registrar_rollback_seconds_count"] == {TAXI: 1}


def test_a_deployment_that_was_confirmed_is_the_last_leg_and_one_that_failed_a_rollback(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path, policy=DEPLOYED)
    promoted(harness, "r1", rmse=5.0)
    harness.post("deployment.succeeded", by=CI, model="taxi", version=1, environment="prod")
    found = counted(harness)
    assert found["registrar_lead_time_seconds_count"][*TAXI, "promoted_to_live"] == 1
    assert found["registrar_deployments_total"] == {(*TAXI, "live"): 1}
    promoted(harness, "r2", rmse=4.0)
    harness.post("deployment.failed", by=CI, model="taxi", version=2, environment="prod")
    assert harness.holding()["Production"] == [1]
    found = counted(harness)
    assert found["registrar_deployments_total"][*TAXI, "failed"] == 1
    assert found["registrar_rollback_seconds_count"] == {TAXI: 1}


def test_every_kind_of_entry_is_counted(harness):
    promoted(harness, "r1", rmse=5.0)
    kinds = counted(harness)["registrar_journal_entries_total"]
    assert kinds["promotion.opened",] == 2
    assert kinds["held",] >= 2
