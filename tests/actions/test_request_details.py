"""What a request for approval tells: the candidate against whoever holds the target."""

import json
from dataclasses import replace

from registrar.events.outcome import Fact
from registrar.ledger.promotions import latest
from tests.fakes import BORN
from tests.worker.harness import ADA, POLICY, WorkerHarness

GATED = POLICY.replace("alias: champion,", 'alias: champion, gates: [{metric: rmse, op: "<", threshold: 7}],')
MORE = POLICY.replace("alias: champion,", "alias: champion, exclusive: false, on_replace: keep,")


def office_with_a_champion(ledger, folder, policy: str = GATED) -> WorkerHarness:
    harness = WorkerHarness(ledger, folder, policy=policy)
    harness.registry.trained("r1", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    return harness


def request_fact(harness: WorkerHarness) -> Fact:
    """The newest request's fact."""
    return [fact for fact in harness.told_facts() if fact.type == "promotion.awaiting_approval"][-1]


def details_of(ledger, folder) -> Fact:
    """A second version, better than the champion."""
    harness = office_with_a_champion(ledger, folder)
    harness.registry.trained("r2", rmse=5.0, mae=3.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    return request_fact(harness)


def test_the_holders_metrics_stand_beside_the_candidates(ledger, tmp_path):
    details = details_of(ledger, tmp_path).details
    assert list(details["metrics"]) == ["rmse", "mae"]  # what a gate is about comes first
    assert details["champion"] == {"version": 1, "of": "@champion", "metrics": {"rmse": 6.0}}
    assert (details["alias"], details["replaces"]) == ("champion", [1])


def test_it_says_of_the_step_and_of_the_version_what_a_card_shows(ledger, tmp_path):
    harness = office_with_a_champion(ledger, tmp_path, GATED)
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2", commit="c0ffee")
    told = harness.details("promotion.awaiting_approval")
    with harness.ledger.read() as connection:
        asked = latest(connection, "taxi", 2, "Production")
    assert {key: told[key] for key in told.keys() - asked.evidence.keys() - {"metrics", "champion"}} == {
        "promotion": asked.id,
        "target": "Production",
        "alias": "champion",
        "requested_by": "ci",
        "commit": "c0ffee",
        "registered_at": BORN.isoformat(),
        "trained_at": BORN.isoformat(),
        "replaces": [1],
        "becomes": "is archived",
    }
    assert asked.evidence.items() <= told.items()


def test_a_first_candidate_has_no_champion(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert request_fact(harness).details["champion"] is None


def test_where_versions_stay_the_alias_says_who_is_compared(ledger, tmp_path):
    harness = office_with_a_champion(ledger, tmp_path, MORE)
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    details = request_fact(harness).details
    assert (details["replaces"], details["champion"]["version"]) == ([], 1)


def test_a_champion_whose_run_is_gone_has_no_metrics(ledger, tmp_path):
    harness = office_with_a_champion(ledger, tmp_path)
    del harness.registry.runs["r1"]
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    assert request_fact(harness).details["champion"]["metrics"] == {}


def test_thousands_of_metrics_and_numbers_that_are_none_are_still_json(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path, policy=GATED)
    many = {f"m{nth:04d}": float("nan") for nth in range(3000)}
    harness.registry.runs["r1"] = replace(harness.registry.trained("r1"), metrics={**many, "rmse": 5.0})
    harness.post("training_run.finished", model="taxi", run_id="r1")
    metrics = request_fact(harness).details["metrics"]
    assert (len(metrics), metrics["rmse"], metrics["m0000"]) == (100, 5.0, "nan")
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
