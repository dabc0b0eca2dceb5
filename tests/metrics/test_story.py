"""What has happened, by the journal: outcomes, votes, and how long each leg from training to live took."""

import pytest

from tests.metrics.reading import away, scraped
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, Office
from webhooks.monitoring.metrics import journal_collector
from webhooks.monitoring.metrics.journal_collector import JournalCollector

HOUR = 3600
TAXI = ("taxi", "Production")
DEPLOYED = POLICY.replace(
    "{rules: [{group: leads}]}",
    "{rules: [{group: leads}]}, deploy: {to: [log], confirm_within: 15m, on_failure: rollback}",
)


def counted(office: Office) -> dict[str, dict[tuple[str, ...], float]]:
    return scraped(JournalCollector(office.ledger, office.bench.policy))


def promoted(office: Office, run: str, *, rmse: float) -> int:
    office.registry.trained(run, rmse=rmse)
    office.registry.files[f"models/taxi/{max(office.stages(), default=0) + 1}"] = {"MLmodel": b"flavors: {}\n"}
    office.post("training_run.finished", model="taxi", run_id=run)
    version = max(office.stages())
    office.later(hours=2)
    office.post("promotion.approve", by=ADA, model="taxi", version=version)
    return version


@pytest.mark.both_ledgers
def test_a_promotion_leaves_its_legs(office):
    promoted(office, "r1", rmse=5.0)
    found = counted(office)
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


def test_what_did_not_come_about_is_counted_by_why(office):
    for run in ("r1", "r2"):
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
    office.post("promotion.approve", by=EVE, model="taxi", version=2)
    office.post("promotion.reject", by=BOB, model="taxi", version=2)
    found = counted(office)
    assert {labels: n for labels, n in found["registrar_promotions_total"].items() if labels[:2] == TAXI} == {
        (*TAXI, "superseded"): 1,
        (*TAXI, "rejected"): 1,
    }
    assert found["registrar_approvals_total"] == {(*TAXI, "superseded"): 1, (*TAXI, "rejected"): 1}
    assert found["registrar_votes_total"] == {("approve", "no"): 1, ("reject", "yes"): 1}


def test_a_restart_and_a_second_receiver_count_the_same(office):
    one = JournalCollector(office.ledger, office.bench.policy)
    scraped(one)
    promoted(office, "r1", rmse=5.0)
    assert scraped(one) == counted(office)


def test_nothing_is_counted_twice(office):
    promoted(office, "r1", rmse=5.0)
    one = JournalCollector(office.ledger, office.bench.policy)
    assert scraped(one) == scraped(one)


def test_what_was_not_read_to_its_end_is_not_shown(office, monkeypatch):
    promoted(office, "r1", rmse=5.0)
    monkeypatch.setattr(journal_collector, "PAGE", 3)
    slow = JournalCollector(office.ledger, office.bench.policy, clock=iter(range(10**6)).__next__)
    assert scraped(slow) == {}
    for _ in range(20):
        found = scraped(slow)
    assert found == counted(office)


def test_a_ledger_that_is_away_leaves_what_was_counted(office):
    promoted(office, "r1", rmse=5.0)
    one = JournalCollector(office.ledger, office.bench.policy)
    before = scraped(one)
    with away(office.ledger):
        assert scraped(one) == before


def test_what_people_took_back_is_timed(office):
    promoted(office, "r1", rmse=5.0)
    promoted(office, "r2", rmse=4.0)
    assert "registrar_rollback_seconds_count" not in counted(office)
    office.post("model.rollback", by=ADA, model="taxi", reason="it drifts")
    assert office.holding()["Production"] == [1]
    assert counted(office)["registrar_rollback_seconds_count"] == {TAXI: 1}


def test_a_deployment_that_was_confirmed_is_the_last_leg_and_one_that_failed_a_rollback(ledger, tmp_path):
    office = Office(ledger, tmp_path, policy=DEPLOYED)
    promoted(office, "r1", rmse=5.0)
    office.post("deployment.succeeded", by=CI, model="taxi", version=1, environment="prod")
    found = counted(office)
    assert found["registrar_lead_time_seconds_count"][*TAXI, "promoted_to_live"] == 1
    assert found["registrar_deployments_total"] == {(*TAXI, "live"): 1}
    promoted(office, "r2", rmse=4.0)
    office.post("deployment.failed", by=CI, model="taxi", version=2, environment="prod")
    assert office.holding()["Production"] == [1]
    found = counted(office)
    assert found["registrar_deployments_total"][*TAXI, "failed"] == 1
    assert found["registrar_rollback_seconds_count"] == {TAXI: 1}


def test_every_kind_of_entry_is_counted(office):
    promoted(office, "r1", rmse=5.0)
    kinds = counted(office)["registrar_journal_entries_total"]
    assert kinds["promotion.opened",] == 2
    assert kinds["held",] >= 2
