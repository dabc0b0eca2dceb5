"""A model's history says who approved what is there, on what evidence; the journal says the same."""

import pytest

from registrar.ledger.queries.holdings import Holding, history
from tests.worker.harness import ADA, BOB, EVE, POLICY, WorkerHarness
from worker.lookups import history as as_table

pytestmark = pytest.mark.both_ledgers

TWO = POLICY.replace(
    "approval: {rules: [{group: leads}]}",
    "approval: {rules: [{group: leads, required_approvals: 2}], break_glass: {group: oncall}}",
).replace("  leads: [ada, bob]", "  leads: [ada, bob]\n  oncall: [eve]")


@pytest.fixture
def two(ledger, tmp_path) -> WorkerHarness:
    """Production takes two approvals, or Eve on call."""
    harness = WorkerHarness(ledger, tmp_path, policy=TWO)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    return harness


def approve(harness, by, **given) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=1, **given)


def holdings(harness) -> dict[str, Holding]:
    with harness.ledger.read() as connection:
        return {holding.key: holding for holding in history(connection, "taxi")}


def test_a_holding_names_those_whose_approvals_counted_and_what_they_were_shown(two):
    approve(two, EVE)
    first, second = approve(two, ADA, reason="fine"), approve(two, BOB)
    for key in ("Production", "champion"):
        found = holdings(two)[key]
        assert [(a.actor, a.name, a.why, a.event_id) for a in found.approvals] == [
            ("ada", "Ada", "fine", first),
            ("bob", "Bob", "", second),
        ]
        assert (found.approved_by, found.broke_glass, found.event_id) == ("Ada, Bob", False, second)
        assert found.policy_digest == two.context.policy.digest("taxi")
        assert found.gates == ()
    automatic = holdings(two)["Staging"]
    assert (automatic.approved_by, automatic.approvals) == (None, ())
    assert [gate["reason"] for gate in automatic.gates] == ["rmse 5 is < 7"]


def test_a_broken_glass_is_flagged(two):
    approve(two, EVE, break_glass=True, reason="prices are wrong")
    found = holdings(two)["Production"]
    assert (found.broke_glass, found.approved_by) == (True, "Eve (BROKE THE GLASS)")
    assert [approval.why for approval in found.approvals] == ["prices are wrong"]
    assert found.reason == "prices are wrong"
    assert holdings(two)["Staging"].reason is None


def test_chat_is_told_who_approved(two):
    approve(two, ADA)
    approve(two, BOB)
    table = as_table(two.ledger, model="taxi")
    assert table.columns[-1] == "approved by"
    assert [(row[0], row[-1]) for row in table.rows if row[0] in ("Production", "Staging")] == [
        ("Production", "Ada, Bob"),
        ("Staging", "-"),
    ]


def test_what_was_moved_without_a_promotion_has_none(two):
    two.post("model_version.archive", model="taxi", version=1)
    found = holdings(two)["Archived"]
    assert (found.promotion_id, found.approved_by, found.gates, found.policy_digest) == (None, None, (), None)
