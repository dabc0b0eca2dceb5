"""What was changed by hand is found, recorded and told; with `drift: revert` what is guarded is put back."""

import uuid

import pytest
from mlflow import MlflowClient
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.holders import history
from registrar.ledger.tables import tasks
from tests.mlflow_server import train
from tests.worker.harness import ADA, POLICY
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
CHANGED = "registry.changed_by_hand"
REVERT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: revert\n")


def promoted(office, *runs: str) -> None:
    for number, run in enumerate(runs, start=1):
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.post("promotion.approve", by=ADA, model="taxi", version=number)


def reconcile(office) -> list[str]:
    before = len(office.facts())
    event = office.post("registry.reconcile", model="taxi")
    assert {state for _, state in office.tasks_of(event)} == {"succeeded"}
    return [text for type_, text in office.facts()[before:] if type_ == CHANGED]


def holders(office) -> set[tuple[str, int]]:
    with office.ledger.read() as connection:
        return {(h.key, h.version) for h in history(connection, "taxi") if h.until is None}


def by_hand(office, number: int, stage: str) -> None:
    office.registry.set_stage("taxi", number, stage)


def test_what_agrees_is_nothing(office):
    promoted(office, "r1", "r2")
    assert reconcile(office) == []


def test_a_model_that_nobody_knows_is_nothing(office):
    assert reconcile(office) == []


def test_a_stage_changed_by_hand_is_told_and_recorded_once(office):
    promoted(office, "r1", "r2")
    by_hand(office, 2, "Archived")
    by_hand(office, 1, "Production")
    told = reconcile(office)
    assert told == [
        "Production of taxi was changed by hand in MLflow: version 1 came, version 2 left; "
        "Production's gates and approvals were not asked",
        "Archived of taxi was changed by hand in MLflow: version 2 came, version 1 left",
    ]
    assert {("Production", 1), ("Archived", 2)} <= holders(office)
    assert reconcile(office) == []


def test_two_holders_are_found(office):
    promoted(office, "r1", "r2")
    by_hand(office, 1, "Production")
    assert "Production of taxi was changed by hand in MLflow: version 1 came" in "".join(reconcile(office))
    assert {("Production", 1), ("Production", 2)} <= holders(office)


def test_a_holder_that_was_deleted_is_told_and_released(office):
    promoted(office, "r1")
    del office.registry._models["taxi"][1]
    office.registry._aliases["taxi"].clear()
    assert reconcile(office) == [
        "@champion of taxi was moved by hand in MLflow, from version 1 to nothing",
        "Production of taxi was changed by hand in MLflow: version 1 was deleted",
    ]
    assert holders(office) == set()


def test_reverted_is_as_it_was_before(office):
    office.policy(REVERT)
    promoted(office, "r1", "r2")
    before, recorded = office.stages(), holders(office)
    by_hand(office, 1, "Production")
    by_hand(office, 2, "None")
    office.registry.set_alias("taxi", "champion", 1)
    told = reconcile(office)
    assert len(told) == 2
    assert all(text.endswith("; it is put back") for text in told)
    assert office.stages() == before
    assert office.registry.model("taxi").aliases["champion"] == 2
    assert reconcile(office) == []
    assert holders(office) == recorded


def test_what_was_there_before_registrar_came_is_not_taken_away(office):
    office.policy(REVERT)
    office.registry.trained("r1", rmse=5.0)
    office.registry.ensure_model("taxi")
    source = office.registry.sources["r1", "model"]
    office.registry.create_version("taxi", source, run_id="r1", description="", tags={})
    by_hand(office, 1, "Production")
    office.registry.set_alias("taxi", "champion", 1)
    assert len(reconcile(office)) == 2
    assert office.stages() == {1: "Production"}
    assert {("Production", 1), ("champion", 1)} == holders(office)


def test_an_alias_moved_by_hand_is_put_back_by_mlflows_webhook_too(office):
    office.policy(REVERT)
    promoted(office, "r1", "r2")
    office.registry.set_alias("taxi", "champion", 1)
    office.post("registry.changed", model="taxi", change="model_version_alias.created", alias="champion", version=1)
    assert office.fact(CHANGED).endswith("from version 2 to version 1; it is put back")
    assert office.registry.model("taxi").aliases["champion"] == 2
    assert ("champion", 2) in holders(office)


def test_an_unguarded_stage_is_told_of_and_left(office):
    office.policy(
        REVERT.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic', "approval: automatic")
    )
    promoted(office, "r1", "r2")
    by_hand(office, 1, "Staging")
    assert "put back" not in "".join(reconcile(office))
    assert office.stages()[1] == "Staging"


def test_what_is_put_back_is_told_even_if_the_worker_dies_while_it_does_so(office):
    office.policy(REVERT)
    promoted(office, "r1", "r2")
    office.registry.set_alias("taxi", "champion", 1)
    office.registry.fail["set_alias"] = RetryableError("the line is cut")
    told = "@champion of taxi was moved by hand in MLflow, from version 2 to version 1; it is put back"
    assert reconcile_until(office) == [told]
    assert office.registry.model("taxi").aliases["champion"] == 2


def reconcile_until(office) -> list[str]:
    before = len(office.facts())
    office.post("registry.reconcile", model="taxi")
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    office.work()
    return [text for type_, text in office.facts()[before:] if type_ == CHANGED]


@pytest.mark.parametrize("policy", [POLICY, REVERT], ids=["alert", "revert"])
def test_what_no_search_shows_is_not_deleted(office, policy):
    """MLflow's searches may leave out what is there."""
    office.policy(policy)
    promoted(office, "r1", "r2")
    recorded = holders(office)
    office.registry.unlisted = {("taxi", 1), ("taxi", 2)}
    assert reconcile(office) == []
    by_hand(office, 1, "Staging")
    assert "version 1 left" in "".join(told := reconcile(office))
    assert "deleted" not in "".join(told)
    assert recorded - holders(office) <= {("Archived", 1)}


def test_a_version_tagged_as_a_prompt_by_hand_changes_nothing(office, mlflow_address):
    client, model = MlflowClient(mlflow_address), f"taxi-{uuid.uuid4().hex[:8]}"
    office.let_in(MlflowRegistry(mlflow_address))
    office.policy(POLICY.replace("  taxi:", f"  {model}:"))
    runs = [train(client) for _ in range(2)]
    for number, run in enumerate(runs, start=1):
        office.post("training_run.finished", model=model, run_id=run)
        if number == 1:
            office.post("promotion.approve", by=ADA, model=model, version=1)
    office.registry.set_tag(model, 1, "mlflow.prompt.is_prompt", "true")
    assert list(client.search_model_versions(f"name = '{model}'")) == [], "MLflow hides them"
    office.post("training_run.finished", model=model, run_id=runs[1])
    before = office.facts()
    office.post("registry.reconcile", model=model)
    assert office.facts() == before
    office.post("promotion.approve", by=ADA, model=model, version=2)
    assert office.stages(model) == {1: "Archived", 2: "Production"}


def test_who_holds_a_stage_makes_room_though_no_search_shows_it(office):
    promoted(office, "r1")
    office.registry.unlisted = {("taxi", 1)}
    reconcile(office)
    promoted(office, "r2")
    office.post("promotion.approve", by=ADA, model="taxi", version=2)
    office.registry.unlisted = set()
    assert office.stages() == {1: "Archived", 2: "Production"}
