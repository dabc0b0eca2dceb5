"""MLflow and the record tell of different pasts: one was restored, or another registry is asked.

That is seen and said in a sentence, and nothing is moved until an operator says which of the two counts.
"""

import copy
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from registrar.ledger import Ledger
from registrar.ledger.disputes import dispute
from registrar.ledger.holders import held_before
from registrar.ledger.journal.verify import verify
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import deployments, holders, promotions
from tests.actions.versions import live, trained
from tests.fakes import BORN, FakeRegistry
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.registry.entities import ModelSource

DISPUTED = "registry.disputed"
REVERT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: revert\n")
ADOPT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: adopt\n")
ALIASES = REVERT.replace("drift: revert", "drift: revert\n    mode: aliases")
STAGES = ALIASES.replace("aliases", "stages").replace("alias: challenger, ", "").replace(" alias: champion,", "")


def tick(harness) -> None:
    """MLflow's clock goes on."""
    harness.registry.clock += 60_000
    harness.registry.born += timedelta(minutes=1)


def one_after_the_other(harness, *runs: str) -> None:
    for run in runs:
        tick(harness)
        live(harness, run)


def backup(harness) -> dict[str, object]:
    """What MLflow's database has."""
    kept = ("_models", "_aliases", "_changed", "runs", "sources")
    return {name: copy.deepcopy(getattr(harness.registry, name)) for name in kept}


def restore(harness, kept: dict[str, object]) -> None:
    for name, value in kept.items():
        setattr(harness.registry, name, copy.deepcopy(value))


def reconcile(harness) -> None:
    harness.post("registry.reconcile", model="taxi")


def settle(harness, trust: str, **data) -> str:
    return harness.post("registry.settle", by=ADA, model="taxi", trust=trust, **data)


def shown(harness) -> tuple[dict[int, str], dict[str, int]]:
    return harness.stages(), dict(harness.registry.model("taxi").aliases)


def in_dispute(harness) -> str | None:
    with harness.ledger.read() as connection:
        found = dispute(connection, "taxi")
    return found.why if found else None


def texts_of(harness, type_: str) -> list[str]:
    return [text_ for kind, text_ in harness.facts() if kind == type_]


@pytest.mark.both_ledgers
@pytest.mark.parametrize("glass", [{}, {"break_glass": True, "reason": "it must"}])
def test_what_is_in_dispute_can_be_approved_when_it_is_settled(harness, glass):
    harness.policy(
        POLICY.replace("{rules: [{group: leads}]}", "{rules: [{group: leads}], break_glass: {group: leads}}")
    )
    one_after_the_other(harness, "r1")
    tick(harness)
    trained(harness, "r3")
    before = backup(harness)
    tick(harness)
    harness.registry.set_stage("taxi", 1, "Archived")
    reconcile(harness)
    restore(harness, before)
    reconcile(harness)
    assert in_dispute(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=2, **glass)
    assert harness.promotions()[-1] == (2, "Production", "awaiting_approval")
    assert "can be approved when this is settled" in harness.fact("promotion.vote_refused")
    settle(harness, "mlflow")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    assert harness.stages()[2] == "Production"


# MLflow is older than the record.
@pytest.mark.both_ledgers
@pytest.mark.parametrize("policy", [POLICY, REVERT, ADOPT], ids=["alert", "revert", "adopt"])
@pytest.mark.parametrize("registered", [True, False])
def test_a_restored_mlflow_is_said_and_nothing_is_moved_or_recorded(harness, policy, registered):
    harness.policy(policy)
    one_after_the_other(harness, "r1")
    before = backup(harness)
    if registered:
        tick(harness)
        trained(harness, "r2")
        before = backup(harness)
        tick(harness)
        harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    else:
        one_after_the_other(harness, "r2")
    held = harness.holding()
    restore(harness, before)
    was = shown(harness)
    reconcile(harness)
    assert (shown(harness), harness.holding()) == (was, held)
    assert "MLflow changed it last on" in harness.fact(DISPUTED)
    assert "registrar reconcile taxi --plan" in harness.fact(DISPUTED)
    reconcile(harness)
    assert len(texts_of(harness, DISPUTED)) == 1, "it is told once"
    assert (shown(harness), harness.holding()) == (was, held)


@pytest.fixture
def restored(harness) -> WorkerHarness:
    """MLflow is as it was before version 2 went to Production."""
    harness.policy(REVERT)
    one_after_the_other(harness, "r1")
    tick(harness)
    trained(harness, "r2")
    before = backup(harness)
    tick(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    restore(harness, before)
    reconcile(harness)
    assert in_dispute(harness)
    return harness


@pytest.mark.both_ledgers
def test_while_it_is_not_settled_nothing_is_written_to_the_model(restored):
    was = shown(restored)
    restored.registry.writes.clear()
    restored.post("model_version.transition", by=ADA, model="taxi", version=1, stage="Archived")
    assert "until an operator says which counts" in restored.fact("task.failed")
    trained(restored, "r3")
    restored.post("model.rollback", by=ADA, model="taxi", reason="bad")
    change = "model_version_alias.created"
    restored.post("registry.changed", model="taxi", change=change, alias="champion", version=1)
    assert (shown(restored), restored.registry.writes) == (was, [])


@pytest.mark.both_ledgers
def test_mlflow_is_trusted_and_the_record_takes_over_what_it_shows(restored):
    was = shown(restored)
    settle(restored, "mlflow", reason="the newer one is lost")
    assert shown(restored) == was
    assert restored.holding() == {"Production": [1], "@champion": [1], "Staging": [2], "@challenger": [2]}
    assert in_dispute(restored) is None
    assert "Ada said that MLflow counts for taxi: the newer one is lost" in restored.fact("registry.settled")
    with restored.ledger.read() as connection:
        [now] = [one for one in history(connection, "taxi") if one.key == "Production" and one.until is None]
        [again, *_] = held_before(connection, "taxi", "stage", "Production")
    assert (now.actor, now.event_type, again.given) == ("ada", "registry.settle", True)
    reconcile(restored)
    assert (in_dispute(restored), shown(restored)) == (None, was)


def test_mlflow_is_not_trusted_with_two_holders(restored):
    restored.registry.set_stage("taxi", 2, "Production")
    held = restored.holding()
    settle(restored, "mlflow", reason="both are good")
    assert "MLflow shows versions 1, 2 of taxi in Production, and one may hold it" in restored.fact("task.refused")
    assert (restored.holding(), bool(in_dispute(restored))) == (held, True)
    restored.registry.set_stage("taxi", 1, "Archived")
    settle(restored, "mlflow", reason="the newer one")
    assert restored.holding()["Production"] == [2]


@pytest.mark.both_ledgers
def test_the_ledger_is_trusted_and_mlflow_is_put_back(restored):
    settle(restored, "ledger")
    assert shown(restored) == ({1: "Archived", 2: "Production"}, {"champion": 2})
    assert in_dispute(restored) is None
    reconcile(restored)
    assert shown(restored) == ({1: "Archived", 2: "Production"}, {"champion": 2})
    assert len(texts_of(restored, DISPUTED)) == 1


def test_a_plan_says_what_each_would_do_and_does_nothing(restored):
    was, held = shown(restored), restored.holding()
    event = restored.post("registry.settle", by=ADA, model="taxi", plan=True)
    with restored.ledger.read() as connection:
        query = text("SELECT outcome FROM tasks WHERE event_id = :id AND name = 'worker.settle'")
        said = str(connection.execute(query, {"id": event}).scalar_one())
    assert "of taxi, --trust mlflow would: " in said
    assert "record version 1 in Production" in said
    assert "--trust ledger would: " in said
    assert "move version 2 to Production" in said
    assert (shown(restored), restored.holding()) == (was, held)
    assert in_dispute(restored)


def test_the_ledger_is_not_trusted_with_what_is_not_there(harness):
    harness.policy(REVERT)
    one_after_the_other(harness, "r1")
    before = backup(harness)
    one_after_the_other(harness, "r2")
    restore(harness, before)
    reconcile(harness)
    settle(harness, "ledger")
    assert shown(harness) == ({1: "Archived"}, {})
    assert "Production" not in harness.holding()


def test_a_version_older_than_the_records_is_no_model_made_anew(harness):
    one_after_the_other(harness, "r1", "r2")
    was_held = harness.holding()
    other = FakeRegistry()
    other.clock, other.born = harness.registry.clock + 1, BORN - timedelta(days=30)
    harness.let_in(other)
    other.trained("r9", rmse=5.0)
    other.ensure_model("taxi")
    other.create_version("taxi", other.sources["r9", "model"], run_id="r9", description="", tags={})
    other.set_stage("taxi", 1, "Production")
    reconcile(harness)
    assert "the record knows a later one" in harness.fact(DISPUTED)
    assert (harness.holding(), harness.stages()) == (was_held, {1: "Production"})


# Another MLflow.
@pytest.mark.both_ledgers
@pytest.mark.parametrize("policy", [REVERT, ADOPT], ids=["revert", "adopt"])
def test_another_registry_that_is_pointed_at_is_said(harness, policy):
    harness.policy(policy)
    one_after_the_other(harness, "r1", "r2")
    held, other = harness.holding(), FakeRegistry()
    other.address, other.clock, other.born = "fake://other", harness.registry.clock + 1, BORN + timedelta(days=1)
    harness.let_in(other)
    for run in ("r8", "r9"):
        other.trained(run, rmse=5.0)
        other.ensure_model("taxi")
        other.create_version("taxi", other.sources[run, "model"], run_id=run, description="", tags={})
    other.set_stage("taxi", 1, "Production")
    reconcile(harness)
    assert "MLflow at fake://other has taxi version" in harness.fact(DISPUTED)
    assert (harness.holding(), harness.stages()) == (held, {1: "Production", 2: "None"})


@pytest.mark.both_ledgers
@pytest.mark.parametrize("policy", [REVERT, STAGES, ALIASES], ids=["both", "stages", "aliases"])
def test_of_a_registry_that_has_nothing_of_the_model_nothing_is_concluded(harness, policy):
    harness.policy(policy)
    one_after_the_other(harness, "r1")
    held, there = harness.holding(), harness.registry
    harness.let_in(FakeRegistry())
    reconcile(harness)
    reconcile(harness)
    assert len(texts_of(harness, DISPUTED)) == 1
    assert (harness.holding(), in_dispute(harness) is None) == (held, False)
    harness.let_in(there)
    reconcile(harness)
    assert (harness.holding(), in_dispute(harness)) == (held, None)


def test_a_wiped_registry_whose_models_are_trained_anew_goes_on(harness):
    one_after_the_other(harness, "r1")
    harness.registry.delete_model("taxi")
    reconcile(harness)
    assert in_dispute(harness)
    tick(harness)
    live(harness, "r2")
    assert in_dispute(harness) is None
    assert harness.stages() == {1: "Production"}
    assert harness.holding() == {"Production": [1], "@champion": [1]}


# The record is older than MLflow.
class Copies:
    """A ledger in SQLite, and what it was before."""

    def __init__(self, folder: Path) -> None:
        self.file, self.kept = folder / "ledger.db", folder / "kept.db"

    def keep(self) -> None:
        with closing(sqlite3.connect(self.file)) as now, closing(sqlite3.connect(self.kept)) as kept:
            now.backup(kept)

    def restored(self) -> Ledger:
        return Ledger(f"sqlite:///{self.kept}")


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("trust", ["mlflow", "ledger"])
def test_a_restored_ledger_does_not_roll_production_back(harness, tmp_path, registered, trust):
    harness.policy(REVERT)
    one_after_the_other(harness, "r1")
    copies = Copies(tmp_path)
    if registered:
        tick(harness)
        trained(harness, "r2")
        copies.keep()
        tick(harness)
        harness.later(minutes=5)
        harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    else:
        copies.keep()
        one_after_the_other(harness, "r2")
    was = shown(harness)
    assert was[0] == {1: "Archived", 2: "Production"}
    with closing(copies.restored()) as ledger:
        late = WorkerHarness(ledger, tmp_path, harness.registry, REVERT)
        late.jump(timedelta(minutes=10))
        reconcile(late)
        assert "the record is older than MLflow: taxi version 2 was" in late.fact(DISPUTED)
        assert shown(late) == was
        settle(late, trust)
        assert in_dispute(late) is None
        now = was if trust == "mlflow" else ({1: "Production", 2: "Staging" if registered else "None"}, {"champion": 1})
        if trust == "ledger" and registered:
            now[1]["challenger"] = 2
        assert shown(late) == now
        reconcile(late)
        assert (shown(late), in_dispute(late)) == (now, None)
        assert late.holding()["Production"] == [2 if trust == "mlflow" else 1]
        with ledger.read() as connection:
            verify(connection)


def test_a_restored_ledger_is_seen_by_an_older_versions_move_too(harness, tmp_path):
    """Version 2, which changed last and is read first, is where the record has it."""
    one_after_the_other(harness, "r1")
    tick(harness)
    trained(harness, "r2")
    copies = Copies(tmp_path)
    copies.keep()
    tick(harness)
    harness.later(minutes=5)
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    tick(harness)
    harness.registry.set_description("taxi", 2, f"{harness.registry.version('taxi', 2).description}\nnight fares")
    with closing(copies.restored()) as ledger:
        late = WorkerHarness(ledger, tmp_path, harness.registry)
        late.jump(timedelta(minutes=10))
        reconcile(late)
        assert "the record is older than MLflow: taxi version 1 was moved to Archived" in late.fact(DISPUTED)


def test_what_a_hand_moved_is_no_sign_of_an_older_record(harness):
    harness.policy(REVERT)
    one_after_the_other(harness, "r1", "r2")
    tick(harness)
    harness.registry.set_stage("taxi", 1, "Production")
    harness.registry.set_stage("taxi", 2, "Archived")
    reconcile(harness)
    assert in_dispute(harness) is None
    assert shown(harness)[0] == {1: "Archived", 2: "Production"}


def test_a_holder_that_was_deleted_by_hand_is_none_either(harness):
    one_after_the_other(harness, "r1", "r2")
    tick(harness)
    harness.registry.take_back("taxi", 2)
    reconcile(harness)
    assert (in_dispute(harness), harness.holding().get("Production")) == (None, None)


def test_a_copy_of_another_models_version_is_none_either(harness):
    one_after_the_other(harness, "r1")
    tags = {"registrar.event": "evt_of_another_installation"}
    harness.registry.create_version("taxi", ModelSource("models:/other/1"), run_id="r1", description="", tags=tags)
    reconcile(harness)
    assert in_dispute(harness) is None


# What was written before records said which version they are about.
@pytest.mark.both_ledgers
@pytest.mark.edits_the_record
def test_a_record_of_before_is_about_the_version_that_was_there_when_it_began(harness):
    one_after_the_other(harness, "r1")
    forget(harness)
    reconcile(harness)
    assert harness.holding() == {"Production": [1], "@champion": [1]}
    harness.registry.delete_model("taxi")
    harness.registry.born = harness.now() + timedelta(days=1)
    trained(harness, "r2", 99.0)
    assert harness.holding() == {}
    assert "was made anew" in harness.fact("registry.made_anew")


@pytest.mark.edits_the_record
def test_nor_is_it_about_another_run(harness):
    one_after_the_other(harness, "r1")
    forget(harness)
    harness.registry.delete_model("taxi")
    trained(harness, "r2", 99.0)
    reconcile(harness)
    assert "taxi version 1, made on" in str(in_dispute(harness))
    assert harness.stages() == {1: "None"}


def forget(harness) -> None:
    with harness.ledger.write() as connection:
        for table in (holders, promotions, deployments):
            connection.execute(update(table).values(incarnation=None))


def test_nor_is_a_move_that_changed_nothing(harness):
    """The description tells of it, and the record has its event and no holding of it."""
    one_after_the_other(harness, "r1")
    harness.jump(timedelta(minutes=5))
    harness.post("model_version.transition", model="taxi", version=1, stage="None")
    for stage in ("Archived", "None"):
        tick(harness)
        harness.registry.set_stage("taxi", 1, stage)
        reconcile(harness)
    assert in_dispute(harness) is None
