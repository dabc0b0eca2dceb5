"""poll_every: what MLflow's webhook did not tell is found, and each change is submitted once."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from mlflow import MlflowClient
from sqlalchemy import select

from registrar.ledger import LedgerUnavailable, registry_polls
from registrar.ledger.registry_polls import SeenModel
from registrar.ledger.tables import events
from tests.doctor.conftest import SiteOf, looked, site  # noqa: F401 (a fixture)
from tests.mlflow_server import train
from tests.worker.harness import POLICY, WorkerHarness
from worker import celery_tasks, dispatcher, registry_poll
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import RetryableError
from worker.registry_poll import changes

POLLED = POLICY.replace("  taxi:\n", "  '*':\n    poll_every: 1m\n")


@pytest.fixture
def polled(harness: WorkerHarness) -> WorkerHarness:
    harness.policy(POLLED)
    return harness


def poll(harness: WorkerHarness) -> list[dict[str, Any]]:
    """What this poll submitted."""
    before = len(submitted(harness))
    registry_poll.poll(harness.context)
    return submitted(harness)[before:]


def submitted(harness: WorkerHarness) -> list[dict[str, Any]]:
    with harness.ledger.read() as connection:
        rows = connection.execute(
            select(events.c.data).where(events.c.type == "registry.changed").order_by(events.c.seq)
        )
        return [{name: value for name, value in data.items() if value is not None} for data in rows.scalars()]


def by_hand(registry: Any, model: str, count: int = 1) -> None:
    registry.ensure_model(model)
    for _ in range(count):
        registry.trained(run_id := uuid.uuid4().hex, rmse=5.0)
        source = registry.source_of(registry.run(run_id), "model")
        registry.create_version(model, source, run_id=run_id, description="", tags={})


@pytest.mark.both_ledgers
def test_each_change_is_found_once_and_what_was_there_before_the_first_poll_is_none(polled: WorkerHarness):
    registry = polled.registry
    by_hand(registry, "taxi", 3)
    registry.set_alias("taxi", "champion", 1)
    assert poll(polled) == []
    by_hand(registry, "taxi", 2)
    by_hand(registry, "churn")
    registry.set_alias("taxi", "champion", 4)
    registry.set_alias("taxi", "eu", 5)
    assert poll(polled) == [
        {"model": "churn", "change": "registered_model.created"},
        {"model": "churn", "change": "model_version.created", "version": 1},
        {"model": "taxi", "change": "model_version.created", "version": 4},
        {"model": "taxi", "change": "model_version.created", "version": 5},
        {"model": "taxi", "change": "model_version_alias.created", "alias": "champion", "version": 4},
        {"model": "taxi", "change": "model_version_alias.created", "alias": "eu", "version": 5},
    ]
    assert poll(polled) == []
    registry.drop_alias("taxi", "eu")
    assert poll(polled) == [{"model": "taxi", "change": "model_version_alias.deleted", "alias": "eu"}]
    polled.work()
    told = " ".join(text for _, text in polled.facts())
    assert told.count("taxi version 4 was registered in MLflow by") == 1, told
    assert told.count("@champion of taxi was moved by hand") == 1, told


def test_a_crash_before_the_poll_is_stored_repeats_nothing(polled: WorkerHarness, monkeypatch):
    poll(polled)
    by_hand(polled.registry, "taxi", 2)
    with monkeypatch.context() as patched:
        patched.setattr(
            registry_polls, "save", lambda *_, **__: (_ for _ in ()).throw(LedgerUnavailable("x", "is away"))
        )
        assert len(poll(polled)) == 3
    by_hand(polled.registry, "taxi")
    assert poll(polled) == [{"model": "taxi", "change": "model_version.created", "version": 3}]
    assert poll(polled) == []


def test_two_polls_at_once_store_one_result(polled: WorkerHarness):
    poll(polled)
    with polled.ledger.read() as connection:
        before = registry_polls.last_poll(connection)
    by_hand(polled.registry, "taxi")
    poll(polled)
    with polled.ledger.write() as connection:
        late = {"at": polled.now(), "due_at": polled.now()}
        registry_polls.save(connection, before, "fake://registry", {"old": SeenModel(1, 1)}, **late)
    assert poll(polled) == []


def test_what_an_event_of_ours_made_is_found_and_changes_nothing(polled: WorkerHarness):
    poll(polled)
    polled.registry.trained("r1", rmse=5.0)
    polled.post("training_run.finished", model="taxi", run_id="r1")
    told = polled.facts()
    assert {each["change"] for each in poll(polled)} >= {"registered_model.created", "model_version.created"}
    polled.work()
    assert polled.facts() == told


def test_only_models_with_poll_every_are_told_of_and_one_that_gets_it_later_is_no_news(harness: WorkerHarness):
    harness.policy(POLICY.replace("  taxi:\n", "  taxi:\n    poll_every: 1m\n"))
    poll(harness)
    by_hand(harness.registry, "churn", 2)
    by_hand(harness.registry, "taxi")
    assert {each["model"] for each in poll(harness)} == {"taxi"}
    harness.policy(POLLED)
    assert poll(harness) == []
    by_hand(harness.registry, "churn")
    assert [each["version"] for each in poll(harness)] == [3]


def test_a_poll_is_published_once_in_each_period(polled: WorkerHarness, monkeypatch):
    """Also after a clock was ahead."""
    published: list[str] = []
    monkeypatch.setattr(registry_poll, "publish", lambda app, messages: published.extend(one.name for one in messages))
    for _ in range(3):
        dispatcher.tick(polled.context)
    assert published == ["worker.poll"]
    poll(polled)
    polled.jump(timedelta(seconds=61))
    dispatcher.tick(polled.context)
    assert len(published) == 2
    polled.jump(timedelta(hours=-5))
    dispatcher.tick(polled.context)
    assert len(published) == 3
    polled.policy(POLICY)
    polled.jump(timedelta(hours=9))
    dispatcher.tick(polled.context)
    assert len(published) == 3


def test_the_worker_has_the_task(polled: WorkerHarness):
    celery_tasks.install(polled.context)
    polled.context.app.tasks[registry_poll.NAME]("poll-1")
    with polled.ledger.read() as connection:
        assert registry_polls.last_poll(connection).polled_at


def test_an_mlflow_that_is_down_is_said_and_nothing_is_lost(polled: WorkerHarness, site: SiteOf, caplog):  # noqa: F811
    doctor = site(POLLED)
    [found] = looked("webhook", doctor)
    assert (found.level, found.seen.startswith("no worker has asked MLflow what changed yet")) == ("ok", True)
    poll(polled)
    by_hand(polled.registry, "taxi")
    for _ in range(2):
        polled.registry.fail["models"] = RetryableError("listing models: the registry does not answer")
        assert poll(polled) == []
    assert caplog.text.count("MLflow can't be asked what changed") == 1
    [found] = looked("webhook", doctor)
    assert (found.level, "the registry does not answer" in found.seen) == ("warn", True)
    assert len(poll(polled)) == 2
    [found] = looked("webhook", doctor)
    assert (found.level, found.seen.startswith("MLflow was asked what changed at ")) == ("ok", True)
    polled.jump(timedelta(hours=-1))
    poll(polled)
    [found] = looked("webhook", doctor)
    assert (found.level, "asked MLflow what changed since" in found.seen) == ("warn", True)


class TestChanges:
    """The comparison alone. Times are MLflow's, and only compared for being the same."""

    def test_a_renamed_model_is_the_same_as_for_the_webhook(self):
        before = {"old": SeenModel(5, 3, {"champion": 2}), "other": SeenModel(5, 1)}
        now = {"new": SeenModel(5, 4, {"champion": 2}), "other": SeenModel(5, 1)}
        assert list(changes(before, now)) == [{"model": "new", "change": "model_version.created", "version": 4}]

    def test_a_model_made_anew_under_its_name_is_new(self):
        found = list(changes({"taxi": SeenModel(5, 3)}, {"taxi": SeenModel(9, 1)}))
        assert [each["change"] for each in found] == ["registered_model.created", "model_version.created"]

    def test_after_mlflow_was_restored_the_numbers_that_come_again_are_told(self):
        older = {"taxi": SeenModel(5, 2)}
        assert list(changes({"taxi": SeenModel(5, 4)}, older)) == []
        assert [each["version"] for each in changes(older, {"taxi": SeenModel(5, 3)})] == [3]

    def test_a_deleted_model_and_a_deleted_version_are_told_as_little_as_by_the_webhook(self):
        assert list(changes({"taxi": SeenModel(5, 4), "x": SeenModel(6, 1)}, {"taxi": SeenModel(5, 3)})) == []


def test_a_model_that_the_list_skipped_is_looked_for_by_name(polled: WorkerHarness, monkeypatch):
    """A page of MLflow's list skips one while another is deleted."""
    by_hand(polled.registry, "taxi", 2)
    poll(polled)
    monkeypatch.setattr(type(polled.registry), "models", lambda self, **_: [])
    by_hand(polled.registry, "taxi")
    assert poll(polled) == [{"model": "taxi", "change": "model_version.created", "version": 3}]


def test_another_registry_begins_anew_and_another_address_of_the_same_does_not(polled: WorkerHarness):
    by_hand(polled.registry, "taxi")
    poll(polled)
    polled.registry.address = "fake://renamed"
    by_hand(polled.registry, "taxi")
    assert [each["version"] for each in poll(polled)] == [2]
    other = WorkerHarness(polled.ledger, polled.context.settings.artifacts_folder, policy=POLLED)
    other.registry.address = "fake://other"
    by_hand(other.registry, "churn", 2)
    assert poll(other) == []
    by_hand(other.registry, "churn")
    assert [each["version"] for each in poll(other)] == [3]


def test_names_that_no_event_may_have_stop_no_poll(polled: WorkerHarness):
    poll(polled)
    by_hand(polled.registry, "ends in a \\")
    by_hand(polled.registry, "taxi")
    assert {each["model"] for each in poll(polled)} == {"taxi"}


def test_mlflow_itself_shows_what_is_asked_for(polled: WorkerHarness, mlflow_address: str):
    """500 versions at once are one look, and one event each."""
    client, model = MlflowClient(mlflow_address), f"poll-{uuid.uuid4().hex[:8]}"
    polled.let_in(MlflowRegistry(mlflow_address))
    client.create_registered_model(model)
    poll(polled)
    run_id = train(client)
    for _ in range(500):
        client.create_model_version(model, f"runs:/{run_id}/model", run_id=run_id)
    client.transition_model_version_stage(model, "500", "Archived")
    client.set_registered_model_alias(model, "champion", "7")
    found = [each for each in poll(polled) if each["model"] == model]
    assert [each["version"] for each in found] == [*range(1, 501), 7]
    assert poll(polled) == []
    client.delete_model_version(model, "500")
    client.rename_registered_model(model, f"{model}-renamed")
    assert poll(polled) == []
    client.create_model_version(f"{model}-renamed", f"runs:/{run_id}/model", run_id=run_id)
    found = poll(polled)
    assert [(each["model"], each["version"]) for each in found] == [
        (f"{model}-renamed", n) for n in (500, 501)
    ]  # of 500, nothing is told
