"""What only time opens: soak, freezes, a day's limit; and what the clock does about what waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registrar.events.states import PromotionState
from registrar.ledger.promotions import Promotion
from registrar.policy.approvals import Approval
from registrar.policy.time_gates import Freeze
from registrar.queries import deadlines
from tests.actions.versions import live, trained
from tests.policies import RULES, approval, gate_on_production, model
from tests.worker.harness import ADA, BOB, EVE, POLICY

pytestmark = pytest.mark.both_ledgers
AUTOMATIC = POLICY.replace("{rules: [{group: leads}]}", "automatic")


def train(harness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run)


def approve(harness, version: int = 1, by=ADA, **given) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=version, **given)


def last(harness) -> tuple[int, str, str]:
    return harness.promotions()[-1]


def test_a_version_is_asked_for_by_itself_when_it_has_soaked(harness):
    harness.policy(gate_on_production("{soak: 24h}"))
    train(harness)
    assert last(harness) == (1, "Production", "waiting")
    assert "in Staging since 20" in harness.fact("promotion.waiting")
    harness.later(hours=23)
    assert last(harness) == (1, "Production", "waiting")
    harness.later(hours=2)
    assert last(harness) == (1, "Production", "awaiting_approval")
    approve(harness)
    assert harness.stages() == {1: "Production"}


def test_a_vote_before_its_time_is_told_when_to_come_back(harness):
    harness.policy(gate_on_production("{soak: 24h}"))
    train(harness)
    approve(harness)
    assert "then you will be asked" in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}


def test_soaking_starts_anew_when_it_left_the_stage_meanwhile(harness):
    harness.policy(gate_on_production("{soak: 24h}"))
    train(harness)
    harness.post("model_version.transition", model="taxi", version=1, stage="None")
    harness.later(hours=25)
    assert last(harness) == (1, "Production", "failed")
    assert "it is in None" in harness.fact("model_version.held_back")


def test_soaking_counts_in_a_stage_that_is_no_target_too(harness):
    harness.policy(gate_on_production("{soak: 2h}").replace("alias: champion,", "alias: champion, from: [Archived],"))
    train(harness)
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    harness.later(hours=3)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    assert last(harness) == (1, "Production", "awaiting_approval")


def test_where_the_record_does_not_know_since_when_it_counts_from_the_request(harness):
    harness.policy(gate_on_production("{soak: 2h}"))
    harness.registry.trained("r1", rmse=5.0)
    harness.post("model_version.register", model="other", run_id="r1")
    harness.policy(gate_on_production("{soak: 2h}").replace("  taxi:", "  other:"))
    harness.registry.set_stage("other", 1, "Staging")
    harness.post("promotion.request", model="other", version=1, target="Production")
    harness.later(hours=1)
    assert last(harness)[2] == "waiting"
    harness.later(hours=1.1)
    assert last(harness)[2] == "awaiting_approval"


def test_a_newer_candidate_ends_a_wait(harness):
    harness.policy(gate_on_production("{soak: 24h}"))
    train(harness, "r1")
    train(harness, "r2")
    assert (1, "Production", "superseded") in harness.promotions()
    assert "is superseded: version 2 came after it" in harness.fact("promotion.superseded")


def always(duration: str = "2h") -> str:
    """A freeze that began at the last full hour."""
    return f'{{freeze: "0 * * * *", duration: {duration}}}'


def test_what_is_approved_in_a_freeze_is_done_when_it_ends(harness):
    """Frozen from the present hour's beginning for 30 days: whatever the time is."""
    start = harness.now()
    harness.policy(gate_on_production(f'{{freeze: "{start.minute} {start.hour} {start.day} * *", duration: 3h}}'))
    train(harness)
    approve(harness)
    assert last(harness) == (1, "Production", "approved")
    assert "is approved and waits until" in harness.fact("promotion.waiting")
    assert harness.stages() == {1: "Staging"}
    harness.later(hours=2)
    assert harness.stages() == {1: "Staging"}
    harness.later(hours=1.1)
    assert harness.stages() == {1: "Production"}
    assert [type_ for type_, _ in harness.facts()].count("promotion.waiting") == 1


def test_what_waits_for_a_freeze_may_still_be_cancelled(harness):
    harness.policy(gate_on_production(always()))
    train(harness)
    approve(harness)
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.later(hours=5)
    assert harness.stages() == {1: "Staging"}


def test_what_changed_while_it_waited_is_void(harness):
    start = harness.now()
    freeze = f'{{freeze: "{start.minute} {start.hour} {start.day} * *", duration: 3h}}'
    gates = f'{freeze}, {{metric: rmse, op: "<", threshold: 6}}'
    harness.policy(gate_on_production(gates))
    train(harness)
    approve(harness)
    harness.registry.trained("r1", rmse=5.9)
    harness.later(hours=4)
    assert "a gate's result changed" in harness.fact("promotion.void")
    assert harness.stages() == {1: "Staging"}
    assert last(harness) == (1, "Production", "awaiting_approval")


def test_so_many_a_day_and_no_more(harness):
    harness.policy(gate_on_production("{max_per_day: 1}"))
    train(harness, "r1")
    approve(harness, 1)
    harness.later(hours=20)
    train(harness, "r2")
    approve(harness, 2)
    assert harness.holding()["Production"] == [1]
    assert "1 promoted within 24 h, at most 1 in 24 h is allowed" in harness.fact("promotion.waiting")
    harness.later(hours=5)
    assert harness.holding()["Production"] == [2]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 11, 27, 13, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 27, 14, 0, tzinfo=UTC), datetime(2026, 11, 30, 7, tzinfo=UTC)),
        (datetime(2026, 11, 30, 6, 59, 59, tzinfo=UTC), datetime(2026, 11, 30, 7, tzinfo=UTC)),
        (datetime(2026, 11, 30, 7, 0, tzinfo=UTC), None),
    ],
)
def test_a_freeze_is_where_its_zone_says(now, until):
    assert Freeze(freeze="0 15 * * FRI", duration="65h", zone="Europe/Paris").until(now) == until


def test_a_freeze_over_the_end_of_summer_lasts_its_real_hours():
    """Clocks in Paris go back on 2026-10-25 at 3:00: 3 hours from 1:00 end at what is 3:00 for the second time."""
    freeze = Freeze(freeze="0 1 25 10 *", duration="3h", zone="Europe/Paris")
    began = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert freeze.until(began) == began + timedelta(hours=3)


def test_who_is_not_answered_reminds_escalates_and_expires(harness):
    rules = "{rules: [{group: leads}], remind_every: 12h, escalate: {after: 2d, to: [bosses]}, expires_after: 3d}"
    harness.policy(approval(rules).replace("channels:", "channels:\n  bosses: {kind: log}"))
    train(harness)
    kinds = ("promotion.reminder", "promotion.escalated", "promotion.expired")

    def notified() -> list[str]:
        return [type_ for type_, _ in harness.facts() if type_ in kinds]

    harness.later(hours=11)
    assert notified() == []
    harness.later(hours=2)
    assert notified() == ["promotion.reminder"]
    assert "waits for approval since 13 h: 1 of Ada, Bob (leads)" in harness.fact("promotion.reminder")
    harness.later(hours=1)
    assert notified() == ["promotion.reminder"]
    harness.later(hours=36)
    assert notified()[1:] == ["promotion.escalated", "promotion.escalated"]  # by the route, and to the bosses
    harness.later(hours=24)
    assert notified()[-1] == "promotion.expired"
    assert last(harness) == (1, "Production", "expired")
    harness.later(hours=48)
    assert notified().count("promotion.expired") == 1


@pytest.mark.parametrize(("hours", "since"), [(47, "47 h"), (48, "2 days"), (72, "3 days")])
def test_how_long_nobody_has_answered_is_said_in_days_from_the_second_on(harness, hours, since):
    harness.policy(approval(f"{{rules: [{{group: leads}}], remind_every: {hours}h}}"))
    train(harness)
    harness.later(hours=hours)
    assert f"waits for approval since {since}: " in harness.fact("promotion.reminder")


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ASKED = Promotion("p", "taxi", 1, "Production", PromotionState.AWAITING_APPROVAL, "ada", "e", {}, NOON)
PATIENCE = Approval.model_validate(
    {
        "rules": [{"group": "leads"}],
        "remind_every": "12h",
        "escalate": {"after": "2d", "to": ["bosses"]},
        "expires_after": "3d",
    }
)


def after(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("hours", "promotion", "due"),
    [
        (11.9, {}, None),
        (12, {}, "remind"),
        (23.9, {"reminded_at": after(12)}, None),
        (24, {"reminded_at": after(12)}, "remind"),
        (48, {}, "escalate"),
        (59, {"escalated_at": after(48), "reminded_at": after(48)}, None),
        (71, {"escalated_at": after(48)}, "remind"),
        (72, {}, "expire"),
        (72, {"due_at": after(1)}, "escalate"),
        (73, {"due_at": after(1)}, "expire"),
        (99, {"state": PromotionState.APPROVED}, None),
        (99, {"state": PromotionState.APPROVED, "due_at": after(99.1)}, None),
        (99, {"state": PromotionState.APPROVED, "due_at": after(99)}, "go on"),
        (99, {"state": PromotionState.WAITING, "due_at": after(99)}, "go on"),
    ],
)
def test_of_what_is_due_the_most_important_is_done_at_its_minute(hours, promotion, due):
    assert deadlines.due_action(replace(ASKED, **promotion), PATIENCE, after(hours)) == due


def test_without_patience_in_the_policy_nothing_is_due():
    assert deadlines.due_times(ASKED, Approval.model_validate({"rules": [{"group": "leads"}]})) == {}
    assert deadlines.due_times(ASKED, None) == {}


def test_a_tick_after_a_tick_brings_nothing_new(harness):
    harness.policy(approval("{rules: [{group: leads}], remind_every: 1h}"))
    train(harness)
    harness.later(hours=1.5)
    for _ in range(3):
        harness.later()
    assert [type_ for type_, _ in harness.facts()].count("promotion.reminder") == 1


def test_a_model_is_reconciled_by_the_clock(harness):
    harness.policy(POLICY.replace("  taxi:\n", "  taxi:\n    reconcile_every: 1h\n"))
    train(harness)
    harness.registry.set_stage("taxi", 1, "Archived")
    harness.later(hours=1)
    assert "Staging of taxi was changed by hand" in " ".join(text for _, text in harness.facts())


def test_without_a_wait_nothing_waits(harness):
    harness.policy(AUTOMATIC)
    train(harness)
    assert harness.stages() == {1: "Production"}


def test_the_time_to_answer_counts_from_the_question_not_from_the_wait(harness):
    gate = gate_on_production("{soak: 24h}")
    harness.policy(approval("{rules: [{group: leads}], remind_every: 5h, expires_after: 12h}", gate))
    train(harness)
    harness.later(hours=25)
    harness.later(hours=4)
    assert "promotion.reminder" not in [type_ for type_, _ in harness.facts()]
    assert last(harness) == (1, "Production", "awaiting_approval")
    harness.later(hours=2)
    assert "waits for approval since 6 h" in harness.fact("promotion.reminder")
    harness.later(hours=7)
    assert last(harness) == (1, "Production", "expired")


def test_nobody_is_reminded_of_what_is_gone(harness):
    harness.policy(approval("{rules: [{group: leads}], remind_every: 1h}"))
    train(harness)
    del harness.registry._models["taxi"][1]
    harness.later(hours=2)
    assert "no such version" in harness.fact("promotion.failed")
    assert last(harness) == (1, "Production", "failed")


def test_what_waited_for_its_time_and_is_gone_by_then_has_failed(harness):
    harness.policy(gate_on_production("{soak: 1h}"))
    train(harness)
    del harness.registry._models["taxi"][1]
    harness.later(hours=2)
    assert "MLflow has no version 1 of taxi: it has none" in harness.fact("task.failed")
    assert last(harness) == (1, "Production", "failed")


def test_a_name_as_long_as_mlflow_takes_stops_no_clock(harness):
    name = "t" * 250
    harness.policy(POLICY.replace("  taxi:\n", f"  {name}:\n    reconcile_every: 1h\n"))
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model=name, run_id="r1")
    harness.registry.set_stage(name, 1, "Archived")
    harness.later(hours=1)
    assert f"Staging of {name} was changed by hand" in " ".join(text for _, text in harness.facts())


WAITS = (
    POLICY.replace("stage: Staging, alias: challenger,", "stage: Staging, exclusive: false,")
    .replace("alias: champion,", "alias: champion, gates: [{max_per_day: 1}],")
    .replace(RULES, "{rules: [{group: leads}], on_newer_candidate: keep, break_glass: {group: oncall}}")
    .replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]")
)


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_waited_does_not_replace_a_newer_version_that_came_meanwhile(harness, by_hand):
    harness.policy(model("drift: adopt", WAITS))
    live(harness, "r1")
    trained(harness, "r2")
    trained(harness, "r3")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    if by_hand:
        harness.registry.set_stage("taxi", 3, "Production")
        harness.post("registry.reconcile", model="taxi")
    else:
        harness.post("promotion.approve", by=EVE, model="taxi", version=3, break_glass=True, reason="it must")
    harness.later(hours=25)
    harness.later(hours=25)
    assert harness.stages() == {1: "Archived", 2: "Staging", 3: "Production"}
    assert "version 3 came to Production since taxi version 2 to Production was approved" in harness.fact(
        "promotion.void"
    )
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    assert harness.stages() == {1: "Archived", 2: "Production", 3: "Archived"}
