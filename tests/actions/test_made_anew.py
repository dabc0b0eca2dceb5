"""A model that is deleted and made anew counts from 1 again: nothing of the one before is taken for what is there now.

On the real MLflow, where numbers begin anew. Each of these put a version where nobody had let it in, or counted what
another one had earned.
"""

import json
import uuid
from datetime import timedelta

import pytest
from mlflow import MlflowClient
from sqlalchemy import select

from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.journal.stream import entries
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.holdings import history
from registrar.ledger.queries.versions import known_versions
from registrar.ledger.tables import deployments
from tests.actions.versions import live, trained
from tests.mlflow_server import train
from tests.worker.harness import ADA, BOB, POLICY, WorkerHarness
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import PermanentError, RetryableError

ANEW = "registry.made_anew"


class Real:
    """A model of its own in MLflow, in a worker's record."""

    def __init__(self, harness: WorkerHarness, address: str) -> None:
        self.harness, self.client = harness, MlflowClient(address)
        self.name = f"anew-{uuid.uuid4().hex[:8]}"
        harness.let_in(MlflowRegistry(address))
        self.policy(POLICY)

    def policy(self, text: str) -> None:
        self.harness.policy(text.replace("  taxi:\n", f"  {self.name}:\n"))

    def post(self, type_: str, **data) -> str:
        return self.harness.post(type_, model=self.name, **data)

    def trained(self, rmse: float = 5.0) -> int:
        run = train(self.client, rmse=rmse)
        self.post("training_run.finished", run_id=run)
        return max(int(v.version) for v in self.client.search_model_versions(f"name = '{self.name}'"))

    def live(self, rmse: float = 5.0) -> int:
        number = self.trained(rmse)
        self.approve(number)
        return number

    def approve(self, number: int) -> None:
        self.post("promotion.approve", by=ADA, version=number)

    def delete(self) -> None:
        self.client.delete_registered_model(self.name)

    def by_hand(self, rmse: float = 99.0) -> int:
        """Made anew, or a version more, past Registrar."""
        run = train(self.client, rmse=rmse)
        if not self.client.search_registered_models(f"name = '{self.name}'"):
            self.client.create_registered_model(self.name)
        uri = f"{self.client.get_run(run).info.artifact_uri}/model"
        return int(self.client.create_model_version(self.name, uri, run_id=run).version)

    def stages(self) -> dict[int, str]:
        return self.harness.stages(self.name)

    def aliases(self) -> dict[str, int]:
        return dict(self.harness.registry.model(self.name).aliases)

    def holding(self) -> dict[str, list[int]]:
        return self.harness.holding(self.name)


@pytest.fixture
def real(harness, mlflow_address):
    found = Real(harness, mlflow_address)
    yield found
    for model in found.client.search_registered_models(f"name = '{found.name}'"):
        found.client.delete_registered_model(model.name)


def revert(policy: str = POLICY) -> str:
    return policy.replace("  taxi:\n", "  taxi:\n    drift: revert\n")


# A1.
@pytest.mark.both_ledgers
@pytest.mark.parametrize("how", ["trained", "by_hand"])
def test_a_revert_does_not_put_a_version_where_its_number_was_approved_before(real, how):
    real.policy(revert())
    real.live()
    real.delete()
    assert getattr(real, how)(rmse=99.0) == 1
    real.post("registry.reconcile")
    assert (real.stages(), real.aliases()) == ({1: "None"}, {})
    assert "Production" not in real.holding()
    assert "was made anew in MLflow" in real.harness.fact(ANEW)


@pytest.mark.both_ledgers
def test_what_ended_is_said_in_the_journal_and_in_history(real):
    real.live()
    real.trained()  # waits for approval
    real.delete()
    real.trained(rmse=99.0)
    with real.harness.ledger.read() as connection:
        held = history(connection, real.name)
        said = [json.loads(each["body"]) for each in entries(connection, model=real.name)]
        assert still_open(connection, model=real.name) == []
    assert {one.until_because for one in held if one.key == "Production"} == {
        one["said"]["because"] for one in said if one["kind"] == "released" and one["said"]["because"]
    }
    assert all(one.until for one in held)
    assert all(one.version_created_at and one.run_id for one in held)
    [superseded] = [one for one in said if one["kind"] == "promotion.decided" and one["said"]["state"] == "superseded"]
    assert (superseded["version"], "was made anew in MLflow" in superseded["said"]["reason"]) == (2, True)


def test_by_mlflows_webhook_it_is_seen_too(real):
    real.policy(revert())
    real.live()
    real.delete()
    real.by_hand()
    real.client.set_registered_model_alias(real.name, "champion", 1)
    change = "model_version_alias.created"
    real.post("registry.changed", change=change, alias="champion", version=1)
    assert real.harness.fact(ANEW)
    assert real.stages() == {1: "None"}


# A2.
@pytest.mark.both_ledgers
def test_a_rollback_does_not_go_to_a_number_that_another_version_held(real):
    real.live()
    real.live()
    real.delete()
    real.live()
    real.trained()
    real.post("promotion.reject", by=BOB, version=2, reason="wrong fares")
    before = real.stages()
    real.post("model.rollback", by=ADA, reason="bad")
    assert real.stages() == before
    assert real.aliases()["champion"] == 1
    assert "version 2 was another one then" in real.harness.fact("task.refused")


def test_a_rollback_goes_to_what_this_models_version_held(real):
    real.live()
    real.delete()
    real.live()
    real.live()
    real.post("model.rollback", by=ADA, reason="bad")
    assert real.stages() == {1: "Production", 2: "Archived"}


# A3.
def test_soak_counts_from_this_versions_time(real):
    real.policy(POLICY.replace("alias: champion,", "alias: champion, gates: [{soak: 3m}],"))
    real.trained()
    real.harness.jump(timedelta(minutes=2))
    real.delete()
    real.trained()
    real.harness.later(seconds=70)
    assert real.harness.promotions()[-1] == (1, "Production", "waiting")
    with real.harness.ledger.read() as connection:
        [waits] = still_open(connection, model=real.name)
    assert waits.due_at - waits.created_at > timedelta(minutes=2, seconds=50)


# A4.
def test_what_was_fetched_of_another_version_is_fetched_anew(real, tmp_path):
    real.trained()
    real.post("artifacts.fetch", version=1)
    real.post("artifacts.fetch", version=1)
    assert "is there already" in real.harness.fact("artifacts.fetched")
    [manifest] = (tmp_path / "artifacts").glob("manifests/*.json")
    before = json.loads(manifest.read_text())["version"]
    real.delete()
    real.trained()
    real.post("artifacts.fetch", version=1)
    assert "was fetched" in real.harness.fact("artifacts.fetched")
    now = json.loads(manifest.read_text())["version"]
    assert (now["version"], before["version"]) == (1, 1)
    assert now["created_at"] > before["created_at"]
    assert now["run_id"] != before["run_id"]


# Read in the code.
def test_a_deployment_that_failed_was_not_this_versions(real):
    policy = POLICY.replace("{rules: [{group: leads}]}", "automatic, deploy: {to: [log], confirm_within: 1h}")
    real.policy(policy)
    real.live()
    real.post("deployment.failed", version=1, environment="prod")
    real.delete()
    real.live()
    real.live()
    real.post("model.rollback", by=ADA, reason="bad")
    assert real.stages() == {1: "Production", 2: "Archived"}


def test_a_report_of_a_deployment_of_before_ends_none(real):
    policy = POLICY.replace("{rules: [{group: leads}]}", "automatic, deploy: {to: [log], confirm_within: 1h}")
    real.policy(policy)
    real.trained()
    real.delete()
    real.trained(rmse=99.0)
    real.post("deployment.succeeded", version=1, environment="prod")
    assert "is live" not in real.harness.fact("deployment.succeeded")


def test_a_rejection_was_of_another_version(real):
    real.trained()
    real.post("promotion.reject", by=BOB, version=1, reason="wrong fares")
    real.delete()
    real.trained()
    assert real.harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_a_request_can_be_rejected_where_mlflow_has_the_model_no_more(real):
    """Nothing moves by it, so it needs no look at MLflow."""
    real.trained()
    real.delete()
    real.post("promotion.reject", by=BOB, version=1, reason="wrong fares")
    assert real.harness.promotions()[-1] == (1, "Production", "rejected")


def test_an_open_request_of_before_is_no_newer_candidate_and_ends(real):
    for _ in range(3):
        real.trained()
    real.delete()
    real.trained()
    with real.harness.ledger.read() as connection:
        assert [one.version for one in still_open(connection, model=real.name)] == [1]
    real.approve(1)
    assert real.stages() == {1: "Production"}


def test_a_vote_for_a_version_of_before_does_not_count_for_this_one(real):
    real.trained()
    real.delete()
    real.by_hand(rmse=99.0)
    real.approve(1)
    assert real.stages() == {1: "None"}
    assert real.harness.promotions()[-1] == (1, "Production", "superseded")


def test_what_an_approved_promotion_waited_for_is_not_done_for_another(real):
    frozen = "alias: champion, gates: [{max_per_day: 1}],"
    real.policy(POLICY.replace("alias: champion,", frozen))
    real.live()
    real.live()
    assert real.harness.promotions()[-1] == (2, "Production", "approved")
    real.delete()
    real.by_hand()
    real.by_hand()
    real.harness.later(hours=25)
    assert set(real.stages().values()) == {"None"}
    assert real.harness.promotions()[-1] == (2, "Production", "superseded")


def test_who_is_replaced_is_none_of_before(real):
    real.policy(POLICY.replace("alias: champion,", "alias: champion, previous_alias: previous,"))
    real.live()
    real.live()
    real.delete()
    real.trained()
    real.trained(rmse=99.0)
    real.approve(1)
    assert real.stages() == {1: "Production", 2: "None"}
    assert real.aliases() == {"champion": 1}


def test_of_a_version_that_was_known_before_nothing_is_said_of_this_one(real):
    real.trained(rmse=99.0)
    real.trained(rmse=99.0)
    real.delete()
    real.trained()
    with real.harness.ledger.read() as connection:
        [one] = known_versions(connection, real.name)
    assert (one.version, one.held_back) == (1, ())


# In the middle of what is done.
def test_what_is_made_anew_in_the_middle_of_its_move_is_not_left_there(harness):
    """Right before the stage is set: MLflow knows the version by its number."""
    number = trained(harness, "r1")
    registry = harness.registry

    def meanwhile(*_: object) -> None:
        registry.refuse.clear()
        registry.delete_model("taxi")
        registry.born += timedelta(hours=1)
        registry.trained("r9", rmse=99.0)
        registry.ensure_model("taxi")
        registry.create_version("taxi", registry.sources["r9", "model"], run_id="r9", description="", tags={})

    registry.refuse["set_stage"] = meanwhile
    harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert harness.stages() == {1: "None"}
    assert registry.model("taxi").aliases == {}
    assert harness.promotions()[-1] == (1, "Production", "superseded")
    assert harness.holding() == {}


def test_what_is_put_back_late_is_what_was_approved(harness):
    """Its files were overwritten, and then the hand's move is to be reverted."""
    harness.policy(revert())
    for run in ("r1", "r2"):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.post("promotion.approve", by=ADA, model="taxi", version=int(run[1]))
    harness.registry.set_stage("taxi", 2, "None")
    harness.registry.drop_alias("taxi", "champion")
    harness.registry.files["models/taxi/2"] = {"MLmodel": b"another"}
    harness.post("registry.reconcile", model="taxi")
    assert harness.stages() == {1: "Archived", 2: "None"}
    assert harness.registry.model("taxi").aliases == {}
    assert "its files are not those that were approved" in harness.fact("registry.changed_by_hand")
    assert harness.holding() == {"Archived": [1]}


def test_a_number_that_comes_again_in_the_same_model_is_another_version(harness):
    """Some stores of MLflow give the number of a deleted version again."""
    trained(harness, "r1")
    trained(harness, "r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    harness.registry.take_back("taxi", 2)
    harness.registry.born += timedelta(hours=1)
    assert trained(harness, "r3", 99.0) == 2
    assert harness.stages() == {1: "Archived", 2: "None"}
    assert harness.holding() == {"Archived": [1]}, "what is there still goes on"
    assert harness.fact(ANEW).startswith("of taxi, a version was made anew under its number: taxi version 2, made on")


def test_clocks_of_mlflows_servers_that_are_apart_make_nothing_anew(harness):
    trained(harness, "r1")
    harness.registry.born -= timedelta(seconds=30)
    trained(harness, "r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert ANEW not in [kind for kind, _ in harness.facts()]


def test_a_task_that_has_written_already_goes_on_with_what_it_wrote(harness):
    """The old one was deleted by hand, and the registration is the first that sees the new one."""
    trained(harness, "r1")
    harness.registry.delete_model("taxi")
    harness.registry.born += timedelta(hours=1)
    assert trained(harness, "r2") == 1
    assert harness.stages() == {1: "Staging"}
    assert [call for call, *_ in harness.registry.writes].count("create_version") == 2


def test_what_is_tried_again_late_is_not_done_with_another_version(harness):
    """Version 1 was to be archived, since version 2 took its place; the task died, and is retried."""
    for run in ("r1", "r2"):
        trained(harness, run)
        if run == "r2":
            harness.registry.refuse["set_stage"] = lambda *args: (
                PermanentError("no") if args[-1] == "Archived" else None
            )
        harness.post("promotion.approve", by=ADA, model="taxi", version=int(run[1]))
    harness.registry.refuse.clear()
    with harness.ledger.read() as connection:
        [letter] = list_dead_letters(connection)
    harness.registry.delete_model("taxi")
    harness.registry.born += timedelta(hours=1)
    trained(harness, "r3")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.stages() == {1: "Production"}
    harness.post("task.retry", by=ADA, task_id=letter.id, model="taxi")
    assert harness.stages() == {1: "Production"}
    assert "this was to be done with another version of that number" in harness.fact("task.failed")


def test_a_promotion_that_ends_so_is_told_as_one(harness):
    trained(harness, "r1")
    harness.registry.delete_model("taxi")
    harness.registry.born += timedelta(hours=1)
    trained(harness, "r2")
    assert "of those before has ended (version 1: " in harness.fact(ANEW)
    told = "the promotion of taxi version 1 to Production is superseded: taxi was made anew in MLflow: "
    assert harness.fact("promotion.superseded").startswith(told)


def letter(harness: WorkerHarness) -> str:
    with harness.ledger.read() as connection:
        [one] = list_dead_letters(connection)
    return one.id


def died(harness: WorkerHarness, type_: str, **data) -> str:
    """An event whose work MLflow refuses; the id of the task."""
    harness.registry.refuse["set_stage"] = lambda *_: PermanentError("no")
    harness.post(type_, model="taxi", **data)
    harness.registry.refuse.clear()
    return letter(harness)


def anew(harness: WorkerHarness) -> None:
    harness.registry.delete_model("taxi")
    harness.registry.born += timedelta(hours=1)


DEPLOYED = POLICY.replace(
    "alias: champion,", "alias: champion, deploy: {to: [log], confirm_within: 1h, on_failure: HOW},"
)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("model.rollback", {"by": ADA, "reason": "bad"}),
        ("deployment.failed", {"version": 2, "environment": "prod"}),
    ],
)
def test_a_rollback_that_is_tried_again_late_is_not_from_another_version(harness, type_, data):
    harness.policy(DEPLOYED.replace("HOW", "rollback"))
    live(harness, "r1", "r2")
    task = died(harness, type_, **data)
    anew(harness)
    live(harness, "r3", "r4")
    harness.post("task.retry", by=ADA, task_id=task, model="taxi")
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert "registrar.quarantined" not in harness.registry.version("taxi", 2).tags


def test_that_this_one_is_live_says_nothing_of_the_one_before(harness):
    harness.policy(DEPLOYED.replace("HOW", "alert"))
    live(harness, "r1")
    harness.post("deployment.failed", model="taxi", version=1, environment="prod")
    anew(harness)
    live(harness, "r2")
    for _ in range(2):
        harness.post("deployment.succeeded", model="taxi", version=1, environment="prod")
    with harness.ledger.read() as connection:
        states = connection.execute(select(deployments.c.state).order_by(deployments.c.requested_at)).scalars().all()
    assert states == ["failed", "live"]


@pytest.mark.parametrize(
    ("type_", "data", "call"),
    [
        ("model_version.archive", {}, "set_stage"),
        ("model_version.transition", {"stage": "None"}, "set_stage"),
        ("model_version.describe", {"tags": {"fares": "wrong"}}, "set_tag"),
    ],
)
def test_what_was_said_of_a_version_and_died_is_not_done_with_another(harness, type_, data, call):
    trained(harness, "r1")
    harness.registry.refuse[call] = lambda *_: PermanentError("no")
    harness.post(type_, by=ADA, model="taxi", version=1, **data)
    harness.registry.refuse.clear()
    task = letter(harness)
    anew(harness)
    trained(harness, "r2")
    harness.post("task.retry", by=ADA, task_id=task, model="taxi")
    assert harness.stages() == {1: "Staging"}
    assert "fares" not in harness.registry.version("taxi", 1).tags
    assert "this was to be done with another version of that number" in harness.fact("task.failed")


@pytest.mark.parametrize(
    ("type_", "data", "fact"),
    [
        ("model_version.archive", {}, "task.refused"),
        ("model_version.transition", {"stage": "Archived"}, "task.refused"),
        ("model_version.describe", {"tags": {"fares": "wrong"}}, "task.refused"),
        ("promotion.request", {"target": "Staging"}, "task.refused"),
        ("model_version.transition", {"stage": "Staging"}, "task.refused"),
        ("evaluation_run.finished", {"run_id": None}, "task.failed"),  # a report is for somebody to look at
    ],
)
def test_what_waits_in_line_is_not_done_with_the_version_that_was_made_meanwhile(real, type_, data, fact):
    real.trained()
    if "run_id" in data:
        data = {"run_id": train(real.client, rmse=1.0)}
        real.client.set_tag(data["run_id"], "evaluated_model", f"models:/{real.name}/1")
    real.harness.accept(type_, by=ADA, model=real.name, version=1, **data)
    real.delete()
    real.by_hand(rmse=5.0)
    real.harness.work()
    assert real.stages() == {1: "None"}
    assert "this was said of another version of that number" in real.harness.fact(fact)


def test_what_is_said_of_the_version_made_anew_counts(real):
    real.trained()
    real.delete()
    real.by_hand(rmse=5.0)
    real.post("promotion.request", by=ADA, version=1, target="Staging")
    assert real.stages() == {1: "Staging"}


def test_nor_is_what_waits_to_be_tried_again(harness):
    trained(harness, "r1")
    harness.registry.fail["set_stage"] = RetryableError("the line is cut")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    anew(harness)
    harness.registry.trained("r2", rmse=5.0)
    harness.registry.ensure_model("taxi")
    harness.registry.create_version(
        "taxi", harness.registry.sources["r2", "model"], run_id="r2", description="", tags={}
    )
    harness.until_nothing_waits()
    assert harness.stages() == {1: "None"}


def test_versions_of_a_model_made_anew_are_taken_in_though_only_the_last_ones_webhook_came(real):
    """Its number is above the watermark of the model before, which says nothing of those below."""
    for _ in range(3):
        real.trained()
    real.delete()
    numbers = [real.by_hand(rmse=5.0) for _ in range(4)]
    assert numbers == [1, 2, 3, 4]
    real.post("registry.changed", change="model_version.created", version=4)
    for _ in range(2):
        real.post("registry.reconcile")
    told = [real.client.get_model_version(real.name, str(number)).tags for number in numbers]
    assert all("registrar.event" in tags for tags in told)
