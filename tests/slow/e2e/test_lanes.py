"""Nobody blocks the others, on `registrar up`: real Redis, MLflow and worker."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from mlflow import MlflowClient
from sqlalchemy import update

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import from_folder
from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.tables import tasks
from tests.e2e.installation import CONFIG, Installation, running
from tests.e2e.sender import Sender
from tests.mlflow_server import train
from tests.notifications.conftest import listening

WAITS = 100  # seconds
_SLACK = "slack signing secret"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One whose own machine may operate it."""
    home, secret = tmp_path_factory.mktemp("operated"), new_webhook_secret()
    with listening() as serving:
        written = {"registrar.yml": CONFIG, "ci.whsec": secret, "slack.secret": _SLACK, "serving.url": serving.url}
        for name, content in {**written, "serving.whsec": new_webhook_secret()}.items():
            (home / name).write_text(content, encoding="utf-8")
        options = ("--config", str(home / "registrar.yml"))
        with running(home / "data", *options, REGISTRAR_LOCAL_OPERATOR="source:ci"):
            yield Installation(home / "data", from_folder(home / "data"), secret, _SLACK)


@pytest.fixture(scope="module")
def sender(stack: Installation) -> Sender:
    return Sender(stack)


@pytest.fixture(scope="module")
def client(stack: Installation) -> MlflowClient:
    return MlflowClient(stack.settings.mlflow_uri)


def stuck(stack: Installation, model: str) -> str:
    """A task of the model that waits for its next attempt; as after one that failed, for which nothing rings."""
    event = Event(parse("training_run.failed", {"model": model}), Actor("source:ci", "ci"), now())
    ledger = Ledger(stack.settings.ledger_url)
    with ledger.write() as connection:
        delivery = Delivery("ci", f"msg_{uuid.uuid4().hex}", "0" * 64)
        [task_message] = accept(connection, delivery, [event], at=now()).task_messages
        due = now() + timedelta(seconds=WAITS)
        waiting = update(tasks).where(tasks.c.id == task_message.task_id)
        connection.execute(waiting.values(not_before=due, dispatch_at=due))
    ledger.close()
    return task_message.task_id


def queued(stack: Installation, model: str) -> list[dict]:
    return json.loads(stack.registrar("queue", "list", "--model", model, "--json").stdout)


def test_a_bad_version_is_taken_out_past_what_waits_and_that_is_dropped(sender, stack, client, model):
    for _ in range(2):
        assert sender.ended(sender.post("training_run.finished", model=model, run_id=train(client)))["state"] == (
            "succeeded"
        )
    task, began = stuck(stack, model), time.monotonic()
    behind = sender.post("training_run.failed", model=model)
    back = stack.registrar("rollback", model, "--target", "Staging", "--reason", "wrong fares", "--wait")
    assert back.returncode == 0, back.stdout + back.stderr
    assert {int(v.version): v.current_stage for v in client.search_model_versions(f"name = '{model}'")} == {
        1: "Staging",
        2: "Archived",
    }
    first, second = queued(stack, model)
    assert (first["id"], second["why"]) == (task, f"behind {task} (report), which waits itself")
    dropped = stack.registrar("queue", "drop", task, "--reason", "in the way", "--wait")
    assert dropped.returncode == 0, dropped.stdout + dropped.stderr
    assert sender.ended(behind)["state"] == "succeeded"
    assert time.monotonic() - began < WAITS
    assert queued(stack, model) == []


@pytest.mark.parametrize("search", ["attributes.start_time > " + "9" * 30, " and ".join(["metrics.rmse < 7"] * 70)])
def test_a_search_that_mlflow_cannot_do_is_refused_where_it_comes_in(sender, model, search):
    answer = sender.post("training_run.finished", model=model, search={"experiment": "e", "filter_string": search})
    assert answer.status_code == 422
    assert "data.search.filter_string " in answer.json()["detail"]
