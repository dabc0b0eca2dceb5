"""Who is in a stage, told by the last look and what changed since: the same as all versions would tell."""

import random

import pytest

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.stage_snapshots import last_snapshot
from tests.worker.harness import ADA, POLICY
from worker.promotions.plan import PlanContext
from worker.promotions.stage_occupancy import AGAIN_EVERY, APART, StageSnapshot, take_snapshot

DAY = 24 * 60 * 60 * 1000
BY = Actor("ada", "Ada")


@pytest.fixture
def harness(harness):
    """Its registry reads all of a small model only where it must."""
    harness.registry.glance = 0
    harness.registry.ensure_model("taxi")
    return harness


def made(harness, count: int, *, days: int = 1) -> None:
    """So many versions, so many days between them."""
    for _ in range(count):
        run = harness.registry.trained(f"r{random.random()}")  # noqa: S311 (no secret)
        source = harness.registry.source_of(run, "model")
        harness.registry.create_version("taxi", source, run_id=run.id, description="", tags={})
        harness.registry.clock += days * DAY


def by_hand(harness, stage: str, *numbers: int) -> None:
    for number in numbers:
        harness.registry.set_stage("taxi", number, stage)


def snapshot(harness) -> StageSnapshot:
    return take_snapshot(PlanContext(harness.registry, harness.context.policy, harness.ledger, harness.now()), "taxi")


def remembered(harness) -> None:
    """A look whose record is kept."""
    cause = Cause("evt", BY.id, BY.name, harness.now())
    with harness.ledger.write() as connection:
        for record in snapshot(harness).records:
            record.apply(connection, cause)


def occupants(harness) -> dict[str, list[int]]:
    return {stage: sorted(v.version for v in there) for stage, there in snapshot(harness).versions.items()}


def reads(harness, monkeypatch) -> list[int | None]:
    """Since when each look has asked for what changed; None: for everything."""
    asked: list[int | None] = []
    recent = harness.registry.recent

    def noted(model: str, *, since: int | None = None):
        asked.append(since)
        return recent(model, since=since)

    monkeypatch.setattr(harness.registry, "recent", noted)
    return asked


@pytest.mark.both_ledgers
def test_the_first_look_finds_whoever_was_there_before_us(harness):
    made(harness, 9)
    by_hand(harness, "Production", 2, 5)
    harness.registry.clock += 9 * DAY
    made(harness, 3)
    assert occupants(harness) == {"Production": [2, 5], "Staging": []}


@pytest.mark.both_ledgers
def test_two_at_once_by_hand_both_older_than_the_newest_are_found(harness, monkeypatch):
    made(harness, 9)
    by_hand(harness, "Production", 9)
    harness.registry.clock += DAY
    remembered(harness)
    by_hand(harness, "Production", 2, 5)
    harness.registry.clock += 9 * DAY
    made(harness, 3)
    asked = reads(harness, monkeypatch)
    assert occupants(harness) == {"Production": [2, 5, 9], "Staging": []}
    assert None not in asked


def test_in_the_very_moment_of_the_last_look_is_found(harness):
    made(harness, 9)
    by_hand(harness, "Production", 9)
    remembered(harness)
    by_hand(harness, "Production", 4)
    harness.registry.clock += 9 * DAY
    assert occupants(harness)["Production"] == [4, 9]


def test_a_clock_of_mlflow_that_was_put_back_hides_nobody(harness):
    made(harness, 9)
    by_hand(harness, "Staging", 9)
    remembered(harness)
    harness.registry.clock -= APART
    by_hand(harness, "Production", 4)
    harness.registry.clock += 9 * DAY
    made(harness, 1)
    assert occupants(harness) == {"Production": [4], "Staging": [9]}


def test_what_a_clock_far_behind_hides_is_found_by_reconcile(harness):
    """No more is promised; a clock that is behind still is noticed at once, as nothing new is seen."""
    made(harness, 9)
    remembered(harness)
    harness.registry.clock -= 2 * DAY
    by_hand(harness, "Production", 4)
    assert occupants(harness)["Production"] == []  # version 9 still has the newest time that was seen
    harness.registry.delete_version("taxi", 9)
    assert occupants(harness)["Production"] == [4]
    harness.post("registry.reconcile", model="taxi")
    assert "MLflow changed it last on" in harness.fact("registry.disputed")
    harness.post("registry.settle", model="taxi", trust="mlflow")
    harness.registry.clock += 9 * DAY
    made(harness, 1)
    assert occupants(harness)["Production"] == [4]


@pytest.mark.parametrize("stage", ["Archived", "None", "Staging"])
def test_who_was_moved_away_by_hand_is_there_no_more(harness, stage):
    made(harness, 9)
    by_hand(harness, "Production", 2)
    harness.registry.clock += DAY
    remembered(harness)
    by_hand(harness, stage, 2)
    harness.registry.clock += 9 * DAY
    assert occupants(harness) == {"Production": [], "Staging": [2] if stage == "Staging" else []}


def test_who_was_deleted_is_there_no_more(harness, monkeypatch):
    made(harness, 4)
    by_hand(harness, "Production", 2)
    harness.registry.clock += DAY
    made(harness, 4)
    remembered(harness)
    harness.registry.delete_version("taxi", 2)
    asked = reads(harness, monkeypatch)
    assert occupants(harness)["Production"] == []
    assert None not in asked


def test_who_stayed_for_long_is_still_there(harness, monkeypatch):
    made(harness, 4)
    by_hand(harness, "Production", 2)
    for _ in range(3):
        harness.registry.clock += DAY
        made(harness, 4)
        remembered(harness)
    asked = reads(harness, monkeypatch)
    assert occupants(harness)["Production"] == [2]
    assert None not in asked


def test_a_restored_registry_is_read_as_a_whole(harness, monkeypatch):
    made(harness, 4)
    by_hand(harness, "Production", 2)
    backup = {**harness.registry._models["taxi"]}
    harness.registry.clock += DAY
    by_hand(harness, "Archived", 2)
    by_hand(harness, "Production", 3)
    harness.registry.clock += DAY
    remembered(harness)
    harness.registry._models["taxi"] = backup
    asked = reads(harness, monkeypatch)
    assert occupants(harness)["Production"] == [2]
    assert asked[-1] is None


def test_one_who_is_not_as_it_was_seen_has_the_whole_read(harness):
    """Of a registry restored, and written to again since."""
    made(harness, 4)
    by_hand(harness, "Production", 2)
    harness.registry.clock += DAY
    backup = {**harness.registry._models["taxi"]}
    by_hand(harness, "Archived", 2)
    by_hand(harness, "Production", 3)
    harness.registry.clock += DAY
    made(harness, 1)
    remembered(harness)
    harness.registry._models["taxi"] = backup
    made(harness, 2)
    assert occupants(harness)["Production"] == [2]


def test_another_exclusive_stage_in_the_policy_has_the_whole_read(harness):
    harness.policy(POLICY.replace("stage: Staging,", "stage: Staging, exclusive: false, on_replace: keep,"))
    made(harness, 4)
    by_hand(harness, "Staging", 1, 2)
    harness.registry.clock += DAY
    made(harness, 1)
    remembered(harness)
    assert occupants(harness) == {"Production": []}
    harness.policy(POLICY)
    assert occupants(harness) == {"Production": [], "Staging": [1, 2]}


def test_a_model_without_versions_holds_nothing_and_leaves_nothing(harness):
    remembered(harness)
    assert occupants(harness) == {"Production": [], "Staging": []}
    with harness.ledger.read() as connection:
        assert last_snapshot(connection, "taxi") is None


@pytest.mark.both_ledgers
def test_a_transition_sends_all_away_whom_nobody_knew_of(harness):
    """Promise 3, with what was done by hand meanwhile."""
    for run in ("a", "b", "c"):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.registry.clock += DAY
    harness.post("promotion.approve", by=ADA, model="taxi", version=3)
    harness.registry.clock += DAY
    by_hand(harness, "Production", 1, 2)
    harness.registry.clock += DAY
    made(harness, 2)
    harness.registry.trained("d", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="d")
    harness.post("promotion.approve", by=ADA, model="taxi", version=6)
    assert harness.stages() == {6: "Production", 5: "None", 4: "None", 3: "Archived", 2: "Archived", 1: "Archived"}
    assert occupants(harness) == {"Production": [6], "Staging": []}


def test_so_many_new_versions_are_a_look(harness, monkeypatch):
    """What changed since the last one stays little to read, where nothing but registering happens."""
    made(harness, AGAIN_EVERY - 2)
    asked = reads(harness, monkeypatch)
    for run in ("a", "b", "c"):
        harness.registry.trained(run, rmse=9.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
    assert asked == [None]
    with harness.ledger.read() as connection:
        assert last_snapshot(connection, "taxi").held == {"Production": {}, "Staging": {}}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_was_done_by_hand_the_looks_tell_what_all_versions_tell(harness, seed):
    chance = random.Random(seed)  # noqa: S311 (no secret)
    made(harness, 5)
    latest = harness.registry.clock
    for _ in range(60):
        versions = [v.version for v in harness.registry.versions("taxi")] or [0]
        number, stage = chance.choice(versions), chance.choice(["None", "Staging", "Production", "Archived"])
        match chance.choice(["stage", "stage", "made", "described", "deleted", "look", "look"]):
            case "stage" if number:
                by_hand(harness, stage, number)
            case "made":
                made(harness, 1, days=0)
            case "described" if number:
                harness.registry.set_description("taxi", number, str(chance.random()))
            case "deleted" if number:
                harness.registry.delete_version("taxi", number)
            case "look":
                remembered(harness)
        # Servers whose clocks differ, as far as they may.
        latest += chance.choice([0, 0, 1, 5, APART, DAY])
        harness.registry.clock = latest - chance.choice([0, 0, 1, APART // 2, APART])
        everything = harness.registry.versions("taxi")
        assert occupants(harness) == {
            stage: sorted(v.version for v in everything if v.stage == stage) for stage in ("Production", "Staging")
        }
