"""What was changed by hand is found, recorded and told; with `drift: revert` what is guarded is put back."""

import uuid

import pytest
from mlflow import MlflowClient
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import tasks
from tests.mlflow_server import train
from tests.worker.harness import ADA, POLICY
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
CHANGED = "registry.changed_by_hand"
REVERT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: revert\n")


def promoted(harness, *runs: str) -> None:
    for number, run in enumerate(runs, start=1):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.post("promotion.approve", by=ADA, model="taxi", version=number)


def reconcile(harness) -> list[str]:
    before = len(harness.facts())
    event = harness.post("registry.reconcile", model="taxi")
    assert {state for _, state in harness.tasks_of(event)} == {"succeeded"}
    return [text for type_, text in harness.facts()[before:] if type_ == CHANGED]


def holders(harness) -> set[tuple[str, int]]:
    with harness.ledger.read() as connection:
        return {(h.key, h.version) for h in history(connection, "taxi") if h.until is None}


def by_hand(harness, number: int, stage: str) -> None:
    harness.registry.set_stage("taxi", number, stage)


def test_what_agrees_is_nothing(harness):
    promoted(harness, "r1", "r2")
    assert reconcile(harness) == []


def test_a_model_that_nobody_knows_is_nothing(harness):
    assert reconcile(harness) == []


def test_a_stage_changed_by_hand_is_told_and_recorded_once(harness):
    promoted(harness, "r1", "r2")
    by_hand(harness, 2, "Archived")
    by_hand(harness, 1, "Production")
    told = reconcile(harness)
    assert told == [
        "Production of taxi was changed by hand in MLflow: version 1 came, version 2 left; "
        "Production's gates and approvals were not asked",
        "Archived of taxi was changed by hand in MLflow: version 2 came, version 1 left",
    ]
    assert {("Production", 1), ("Archived", 2)} <= holders(harness)
    assert reconcile(harness) == []


def test_a_change_by_hand_is_told_to_programs_too(harness):
    promoted(harness, "r1", "r2")
    harness.registry.set_alias("taxi", "champion", 1)
    reconcile(harness)
    assert harness.details(CHANGED) == {"alias": "champion", "before": 2, "after": 1, "reverted": False}
    by_hand(harness, 1, "Production")
    by_hand(harness, 2, "None")
    reconcile(harness)
    assert harness.details(CHANGED) == {"stage": "Archived", "came": [], "left": [1], "reverted": False}


def test_another_alias_of_who_lost_one_stays_recorded(harness):
    promoted(harness, "r1", "r2")
    harness.registry.set_alias("taxi", "reference", 2)
    reconcile(harness)
    harness.registry.set_alias("taxi", "champion", 1)
    reconcile(harness)
    assert {("reference", 2), ("champion", 1)} <= holders(harness)
    assert reconcile(harness) == []


def test_two_holders_are_found(harness):
    promoted(harness, "r1", "r2")
    by_hand(harness, 1, "Production")
    assert "Production of taxi was changed by hand in MLflow: version 1 came" in "".join(reconcile(harness))
    assert {("Production", 1), ("Production", 2)} <= holders(harness)


def test_a_holder_that_was_deleted_is_told_and_released(harness):
    promoted(harness, "r1")
    del harness.registry._models["taxi"][1]
    harness.registry._aliases["taxi"].clear()
    assert reconcile(harness) == [
        "@champion of taxi was moved by hand in MLflow, from version 1 to nothing",
        "Production of taxi was changed by hand in MLflow: version 1 was deleted",
    ]
    assert holders(harness) == set()


def test_reverted_is_as_it_was_before(harness):
    harness.policy(REVERT)
    promoted(harness, "r1", "r2")
    before, recorded = harness.stages(), holders(harness)
    by_hand(harness, 1, "Production")
    by_hand(harness, 2, "None")
    harness.registry.set_alias("taxi", "champion", 1)
    told = reconcile(harness)
    assert len(told) == 2
    assert all(text.endswith("; it is put back") for text in told)
    assert harness.stages() == before
    assert harness.registry.model("taxi").aliases["champion"] == 2
    assert reconcile(harness) == []
    assert holders(harness) == recorded


def test_what_was_there_before_registrar_came_is_not_taken_away(harness):
    harness.policy(REVERT)
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.ensure_model("taxi")
    source = harness.registry.sources["r1", "model"]
    harness.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    by_hand(harness, 1, "Production")
    harness.registry.set_alias("taxi", "champion", 1)
    assert len(reconcile(harness)) == 2
    assert harness.stages() == {1: "Production"}
    assert {("Production", 1), ("champion", 1)} == holders(harness)


def test_an_alias_moved_by_hand_is_put_back_by_mlflows_webhook_too(harness):
    harness.policy(REVERT)
    promoted(harness, "r1", "r2")
    harness.registry.set_alias("taxi", "champion", 1)
    harness.post("registry.changed", model="taxi", change="model_version_alias.created", alias="champion", version=1)
    assert harness.fact(CHANGED).endswith("from version 2 to version 1; it is put back")
    assert harness.registry.model("taxi").aliases["champion"] == 2
    assert ("champion", 2) in holders(harness)


def test_an_unguarded_stage_is_told_of_and_left(harness):
    harness.policy(
        REVERT.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic', "approval: automatic")
    )
    promoted(harness, "r1", "r2")
    by_hand(harness, 1, "Staging")
    assert "put back" not in "".join(reconcile(harness))
    assert harness.stages()[1] == "Staging"


def test_what_is_put_back_is_told_even_if_the_worker_dies_while_it_does_so(harness):
    harness.policy(REVERT)
    promoted(harness, "r1", "r2")
    harness.registry.set_alias("taxi", "champion", 1)
    harness.registry.fail["set_alias"] = RetryableError("the line is cut")
    told = "@champion of taxi was moved by hand in MLflow, from version 2 to version 1; it is put back"
    assert reconcile_until(harness) == [told]
    assert harness.registry.model("taxi").aliases["champion"] == 2


def reconcile_until(harness) -> list[str]:
    before = len(harness.facts())
    harness.post("registry.reconcile", model="taxi")
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    harness.work()
    return [text for type_, text in harness.facts()[before:] if type_ == CHANGED]


@pytest.mark.parametrize("policy", [POLICY, REVERT], ids=["alert", "revert"])
def test_what_no_search_shows_is_not_deleted(harness, policy):
    """MLflow's searches may leave out what is there."""
    harness.policy(policy)
    promoted(harness, "r1", "r2")
    recorded = holders(harness)
    harness.registry.unlisted = {("taxi", 1), ("taxi", 2)}
    assert reconcile(harness) == []
    by_hand(harness, 1, "Staging")
    assert "version 1 left" in "".join(told := reconcile(harness))
    assert "deleted" not in "".join(told)
    assert recorded - holders(harness) <= {("Archived", 1)}


def test_a_version_tagged_as_a_prompt_by_hand_changes_nothing(harness, mlflow_address):
    client, model = MlflowClient(mlflow_address), f"taxi-{uuid.uuid4().hex[:8]}"
    harness.let_in(MlflowRegistry(mlflow_address))
    harness.policy(POLICY.replace("  taxi:", f"  {model}:"))
    runs = [train(client) for _ in range(2)]
    for number, run in enumerate(runs, start=1):
        harness.post("training_run.finished", model=model, run_id=run)
        if number == 1:
            harness.post("promotion.approve", by=ADA, model=model, version=1)
    harness.registry.set_tag(model, 1, "mlflow.prompt.is_prompt", "true")
    assert list(client.search_model_versions(f"name = '{model}'")) == [], "MLflow hides them"
    harness.post("training_run.finished", model=model, run_id=runs[1])
    before = harness.facts()
    harness.post("registry.reconcile", model=model)
    assert harness.facts() == before
    harness.post("promotion.approve", by=ADA, model=model, version=2)
    assert harness.stages(model) == {1: "Archived", 2: "Production"}


def test_who_holds_a_stage_makes_room_though_no_search_shows_it(harness):
    promoted(harness, "r1")
    harness.registry.unlisted = {("taxi", 1)}
    reconcile(harness)
    promoted(harness, "r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    harness.registry.unlisted = set()
    assert harness.stages() == {1: "Archived", 2: "Production"}
