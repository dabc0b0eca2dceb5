"""Who is in a stage, told by the last look and what changed since: the same as all versions would tell."""

import random

import pytest

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.stage_snapshots import last_look
from tests.worker.harness import ADA, POLICY
from worker.promotions.plan import PlanContext
from worker.promotions.stage_occupancy import AGAIN_EVERY, APART, StageSnapshot, seen

DAY = 24 * 60 * 60 * 1000
BY = Actor("ada", "Ada")


@pytest.fixture
def office(office):
    """Its registry reads all of a small model only where it must."""
    office.registry.glance = 0
    office.registry.ensure_model("taxi")
    return office


def made(office, count: int, *, days: int = 1) -> None:
    """So many versions, so many days between them."""
    for _ in range(count):
        run = office.registry.trained(f"r{random.random()}")  # noqa: S311 (no secret)
        source = office.registry.source_of(run, "model")
        office.registry.create_version("taxi", source, run_id=run.id, description="", tags={})
        office.registry.clock += days * DAY


def by_hand(office, stage: str, *numbers: int) -> None:
    for number in numbers:
        office.registry.set_stage("taxi", number, stage)


def look(office) -> StageSnapshot:
    return seen(PlanContext(office.registry, office.bench.policy, office.ledger, office.now()), "taxi")


def remembered(office) -> None:
    """A look whose record is kept."""
    cause = Cause("evt", BY.id, BY.name, office.now())
    with office.ledger.write() as connection:
        for record in look(office).records:
            record.apply(connection, cause)


def told(office) -> dict[str, list[int]]:
    return {stage: sorted(v.version for v in there) for stage, there in look(office).versions.items()}


def reads(office, monkeypatch) -> list[int | None]:
    """Since when each look has asked for what changed; None: for everything."""
    asked: list[int | None] = []
    recent = office.registry.recent

    def noted(model: str, *, since: int | None = None):
        asked.append(since)
        return recent(model, since=since)

    monkeypatch.setattr(office.registry, "recent", noted)
    return asked


@pytest.mark.both_ledgers
def test_the_first_look_finds_whoever_was_there_before_us(office):
    made(office, 9)
    by_hand(office, "Production", 2, 5)
    office.registry.clock += 9 * DAY
    made(office, 3)
    assert told(office) == {"Production": [2, 5], "Staging": []}


@pytest.mark.both_ledgers
def test_two_at_once_by_hand_both_older_than_the_newest_are_found(office, monkeypatch):
    made(office, 9)
    by_hand(office, "Production", 9)
    office.registry.clock += DAY
    remembered(office)
    by_hand(office, "Production", 2, 5)
    office.registry.clock += 9 * DAY
    made(office, 3)
    asked = reads(office, monkeypatch)
    assert told(office) == {"Production": [2, 5, 9], "Staging": []}
    assert None not in asked


def test_in_the_very_moment_of_the_last_look_is_found(office):
    made(office, 9)
    by_hand(office, "Production", 9)
    remembered(office)
    by_hand(office, "Production", 4)
    office.registry.clock += 9 * DAY
    assert told(office)["Production"] == [4, 9]


def test_a_clock_of_mlflow_that_was_put_back_hides_nobody(office):
    made(office, 9)
    by_hand(office, "Staging", 9)
    remembered(office)
    office.registry.clock -= APART
    by_hand(office, "Production", 4)
    office.registry.clock += 9 * DAY
    made(office, 1)
    assert told(office) == {"Production": [4], "Staging": [9]}


def test_what_a_clock_far_behind_hides_is_found_by_reconcile(office):
    """No more is promised; a clock that is behind still is noticed at once, as nothing new is seen."""
    made(office, 9)
    remembered(office)
    office.registry.clock -= 2 * DAY
    by_hand(office, "Production", 4)
    assert told(office)["Production"] == []  # version 9 still has the newest time that was seen
    office.registry.delete_version("taxi", 9)
    assert told(office)["Production"] == [4]
    office.post("registry.reconcile", model="taxi")
    assert "MLflow changed it last on" in office.fact("registry.disputed")
    office.post("registry.settle", model="taxi", trust="mlflow")
    office.registry.clock += 9 * DAY
    made(office, 1)
    assert told(office)["Production"] == [4]


@pytest.mark.parametrize("stage", ["Archived", "None", "Staging"])
def test_who_was_moved_away_by_hand_is_there_no_more(office, stage):
    made(office, 9)
    by_hand(office, "Production", 2)
    office.registry.clock += DAY
    remembered(office)
    by_hand(office, stage, 2)
    office.registry.clock += 9 * DAY
    assert told(office) == {"Production": [], "Staging": [2] if stage == "Staging" else []}


def test_who_was_deleted_is_there_no_more(office, monkeypatch):
    made(office, 4)
    by_hand(office, "Production", 2)
    office.registry.clock += DAY
    made(office, 4)
    remembered(office)
    office.registry.delete_version("taxi", 2)
    asked = reads(office, monkeypatch)
    assert told(office)["Production"] == []
    assert None not in asked


def test_who_stayed_for_long_is_still_there(office, monkeypatch):
    made(office, 4)
    by_hand(office, "Production", 2)
    for _ in range(3):
        office.registry.clock += DAY
        made(office, 4)
        remembered(office)
    asked = reads(office, monkeypatch)
    assert told(office)["Production"] == [2]
    assert None not in asked


def test_a_restored_registry_is_read_as_a_whole(office, monkeypatch):
    made(office, 4)
    by_hand(office, "Production", 2)
    backup = {**office.registry._models["taxi"]}
    office.registry.clock += DAY
    by_hand(office, "Archived", 2)
    by_hand(office, "Production", 3)
    office.registry.clock += DAY
    remembered(office)
    office.registry._models["taxi"] = backup
    asked = reads(office, monkeypatch)
    assert told(office)["Production"] == [2]
    assert asked[-1] is None


def test_one_who_is_not_as_it_was_seen_has_the_whole_read(office):
    """Of a registry restored, and written to again since."""
    made(office, 4)
    by_hand(office, "Production", 2)
    office.registry.clock += DAY
    backup = {**office.registry._models["taxi"]}
    by_hand(office, "Archived", 2)
    by_hand(office, "Production", 3)
    office.registry.clock += DAY
    made(office, 1)
    remembered(office)
    office.registry._models["taxi"] = backup
    made(office, 2)
    assert told(office)["Production"] == [2]


def test_another_exclusive_stage_in_the_policy_has_the_whole_read(office):
    office.policy(POLICY.replace("stage: Staging,", "stage: Staging, exclusive: false, on_replace: keep,"))
    made(office, 4)
    by_hand(office, "Staging", 1, 2)
    office.registry.clock += DAY
    made(office, 1)
    remembered(office)
    assert told(office) == {"Production": []}
    office.policy(POLICY)
    assert told(office) == {"Production": [], "Staging": [1, 2]}


def test_a_model_without_versions_holds_nothing_and_leaves_nothing(office):
    remembered(office)
    assert told(office) == {"Production": [], "Staging": []}
    with office.ledger.read() as connection:
        assert last_look(connection, "taxi") is None


@pytest.mark.both_ledgers
def test_a_transition_sends_all_away_whom_nobody_knew_of(office):
    """Promise 3, with what was done by hand meanwhile."""
    for run in ("a", "b", "c"):
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.registry.clock += DAY
    office.post("promotion.approve", by=ADA, model="taxi", version=3)
    office.registry.clock += DAY
    by_hand(office, "Production", 1, 2)
    office.registry.clock += DAY
    made(office, 2)
    office.registry.trained("d", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="d")
    office.post("promotion.approve", by=ADA, model="taxi", version=6)
    assert office.stages() == {6: "Production", 5: "None", 4: "None", 3: "Archived", 2: "Archived", 1: "Archived"}
    assert told(office) == {"Production": [6], "Staging": []}


def test_so_many_new_versions_are_a_look(office, monkeypatch):
    """What changed since the last one stays little to read, where nothing but registering happens."""
    made(office, AGAIN_EVERY - 2)
    asked = reads(office, monkeypatch)
    for run in ("a", "b", "c"):
        office.registry.trained(run, rmse=9.0)
        office.post("training_run.finished", model="taxi", run_id=run)
    assert asked == [None]
    with office.ledger.read() as connection:
        assert last_look(connection, "taxi").held == {"Production": {}, "Staging": {}}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_was_done_by_hand_the_looks_tell_what_all_versions_tell(office, seed):
    chance = random.Random(seed)  # noqa: S311 (no secret)
    made(office, 5)
    latest = office.registry.clock
    for _ in range(60):
        versions = [v.version for v in office.registry.versions("taxi")] or [0]
        number, stage = chance.choice(versions), chance.choice(["None", "Staging", "Production", "Archived"])
        match chance.choice(["stage", "stage", "made", "described", "deleted", "look", "look"]):
            case "stage" if number:
                by_hand(office, stage, number)
            case "made":
                made(office, 1, days=0)
            case "described" if number:
                office.registry.set_description("taxi", number, str(chance.random()))
            case "deleted" if number:
                office.registry.delete_version("taxi", number)
            case "look":
                remembered(office)
        # Servers whose clocks differ, as far as they may.
        latest += chance.choice([0, 0, 1, 5, APART, DAY])
        office.registry.clock = latest - chance.choice([0, 0, 1, APART // 2, APART])
        everything = office.registry.versions("taxi")
        assert told(office) == {
            stage: sorted(v.version for v in everything if v.stage == stage) for stage in ("Production", "Staging")
        }
