"""The main job on the real thing: HTTP in, Redis and Celery between, MLflow changed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psutil
import pytest
from mlflow import MlflowClient

from registrar.config.encryption import Encryptor
from registrar.events import approval_buttons
from registrar.events.types import ArtifactsFetch
from registrar.local import orphans
from registrar.local.data_folder import Folder
from registrar.queries.fetched_artifacts import read_manifest
from tests.e2e.installation import Installation
from tests.e2e.sender import Sender
from tests.mlflow_server import train, train_logged_model


def finish_training(sender: Sender, model: str, run_id: str) -> dict:
    return sender.ended(sender.post("training_run.finished", model=model, run_id=run_id))


def versions(client: MlflowClient, model: str) -> dict[int, str]:
    return {int(v.version): v.current_stage for v in client.search_model_versions(f"name = '{model}'")}


def reasons(event: dict) -> list[str]:
    return [task["error"] for task in event["tasks"] if task["error"]]


@pytest.mark.parametrize("style", [train, train_logged_model], ids=["MLflow 2", "MLflow 3"])
def test_a_run_of_either_style_becomes_a_version_that_can_be_downloaded(sender, client, model, style, tmp_path):
    run_id = style(client)
    assert finish_training(sender, model, run_id)["state"] == "succeeded"
    found = client.get_model_version(model, "1")
    assert (found.run_id, found.current_stage, found.aliases) == (run_id, "Staging", ["challenger"])
    assert found.tags["registrar.run"] == run_id


def test_a_run_without_a_model_fails_with_a_reason_and_leaves_nothing(sender, client, model):
    event = finish_training(sender, model, train(client, artifact=""))
    assert event["state"] == "failed"
    assert "logged no model named 'model'" in reasons(event)[0]
    assert client.search_registered_models(f"name = '{model}'") == []


def test_an_unknown_run_fails_with_a_reason(sender, model):
    event = finish_training(sender, model, "f" * 32)
    assert (event["state"], "not found" in reasons(event)[0].lower()) == ("failed", True)


def test_an_unknown_version_is_refused_with_a_reason(sender, client, model):
    finish_training(sender, model, train(client))
    event = sender.ended(sender.post("model_version.archive", model=model, version=7))
    assert event["state"] == "refused"
    assert "version 7" in reasons(event)[0]


def test_a_button_press_brings_it_to_production_and_the_next_one_archives_it(sender, stack, client, model):
    encryptor = Encryptor(stack.settings.secret_key)
    for number in (1, 2):
        finish_training(sender, model, train(client))
        pinned = {"promotion": waiting(stack, model), "model": model, "version": number, "target": "Production"}
        until = datetime.now(UTC) + approval_buttons.LIFE
        content = approval_buttons.content(
            "approve", nonce=f"{pinned['promotion']}.approve", until=until, pinned=pinned
        )
        value = encryptor.encrypt(content, audience=approval_buttons.Audience("slack", "slack", "team").at(None))
        before = versions(client, model)
        assert sender.press("registrar.approve", value, user="UBOB").status_code == 200
        assert sender.press("registrar.approve", value).status_code == 200
        wait_for(sender, stack, model)
        assert before[number] == "Staging"
    assert versions(client, model) == {1: "Archived", 2: "Production"}
    assert client.get_model_version_by_alias(model, "champion").version == "2"
    assert "version 2 was transitioned to Production on" in client.get_model_version(model, "2").description


def waiting(stack: Installation, model: str) -> str:
    """The open promotion's id, as the approval card carries it."""
    event = next(e for e in events(stack) if e["model"] == model)
    shown = json.loads(stack.registrar("events", "show", event["id"], "--json").stdout)
    facts = [fact for task in shown["tasks"] for fact in (task["outcome"] or {}).get("facts", [])]
    return next(fact["details"]["promotion"] for fact in facts if fact["type"] == "promotion.awaiting_approval")


def events(stack: Installation) -> list[dict]:
    return json.loads(stack.registrar("events", "--json").stdout)


def wait_for(sender: Sender, stack: Installation, model: str) -> None:
    for event in events(stack)[:4]:
        if event["model"] == model:
            sender.until_done(f"{stack.settings.public_url}/v1/events/{event['id']}")


def test_a_vote_by_slash_command_counts_like_a_press(sender, stack, client, model):
    finish_training(sender, model, train(client))
    assert "approving" in sender.slash(f"approve {model} 1").json()["text"].lower()
    wait_for(sender, stack, model)
    assert versions(client, model) == {1: "Production"}


def test_one_delivery_sent_by_sixteen_at_once_is_one_event_and_one_version(sender, client, model):
    run_id = train(client)

    def post(_: int):
        return sender.post("training_run.finished", id=f"msg_{model}", model=model, run_id=run_id)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [202]
    assert len({answer.json()["events"][0]["id"] for answer in answers}) == 1
    assert sender.ended(answers[0])["state"] == "succeeded"
    assert list(versions(client, model)) == [1]


def test_a_models_events_apply_in_the_order_they_were_accepted(sender, client, model):
    runs = [train(client) for _ in range(8)]
    answers = [sender.post("training_run.finished", model=model, run_id=run_id) for run_id in runs]
    assert [sender.ended(answer)["state"] for answer in answers] == ["succeeded"] * 8
    found = sorted(client.search_model_versions(f"name = '{model}'"), key=lambda v: int(v.version))
    assert [v.run_id for v in found] == runs
    assert [v.current_stage for v in found] == ["Archived"] * 7 + ["Staging"]


def test_artifacts_are_fetched_with_a_manifest(sender, stack, client, model):
    finish_training(sender, model, train(client))
    assert sender.ended(sender.post("artifacts.fetch", model=model, version=1))["state"] == "succeeded"
    manifest = read_manifest(stack.settings.artifacts_folder, ArtifactsFetch(model=model, version=1))
    assert {"MLmodel", "data/weights.txt"} == set(manifest["files"])


def test_the_best_run_of_a_search_is_registered(sender, client, model):
    experiment = f"experiment-{model}"
    wanted = [train(client, experiment=experiment, rmse=rmse) for rmse in (6.5, 2.5, 8.5)][1]
    search = {"experiment": experiment, "filter_string": "metrics.rmse < 7", "order_by": ["metrics.rmse ASC"]}
    assert sender.ended(sender.post("model_version.register", model=model, search=search))["state"] == "succeeded"
    assert client.get_model_version(model, "1").run_id == wanted


def test_people_see_what_they_look_up_by_hand(sender, stack, client, model):
    run_id = train(client, experiment="lookups", rmse=3.25)
    finish_training(sender, model, run_id)
    runs = ("runs", "-e", "lookups", "--filter", "metrics.rmse < 7", "--order-by", "metrics.rmse ASC", "--max", "5")
    for command, expected in (
        (runs, run_id),
        (("versions", model), "@challenger"),
        (("models",), model),
        (("experiments",), "lookups"),
        (("plan", model, "1", "--to", "production"), "version 1 to Production: ready"),
    ):
        shown = stack.registrar(*command)
        assert (shown.returncode, expected in shown.stdout) == (0, True), shown.stdout + shown.stderr


def test_a_stage_changed_by_hand_in_mlflow_is_found_told_and_in_the_history(sender, stack, client, model):
    finish_training(sender, model, train(client, rmse=3.25))
    client.transition_model_version_stage(model, "1", "Archived")
    client.set_registered_model_alias(model, "shadow", "1")
    event = sender.ended(sender.post("registry.reconcile", model=model))
    said = event["tasks"][0]["outcome"]["summary"]
    assert "Staging of" in said
    assert "version 1 left" in said
    assert "@shadow of" in said
    shown = stack.registrar("history", model).stdout
    assert "@shadow" in shown
    assert "registry.reconcile" in shown
    again = sender.ended(sender.post("registry.reconcile", model=model))
    assert again["tasks"][0]["outcome"]["summary"] == f"{model} is in MLflow as the record has it"


def test_a_plan_says_by_its_exit_code_whether_a_version_may_go(sender, stack, client, model):
    finish_training(sender, model, train(client, rmse=9.5))
    codes = [stack.registrar("plan", model, "1", "--to", stage).returncode for stage in ("staging", "production")]
    assert codes == [2, 2]
    assert client.get_model_version(model, "1").current_stage == "None"


def test_the_receiver_does_not_grow_under_load(sender, stack):
    """What it may hold at most is in tests/webhooks/test_serve.py; here it has served other tests before."""
    receiver = next(entry.pid for entry in orphans.read_pids(Folder(stack.data).pids) if entry.name == "receiver")

    def held() -> int:
        process = psutil.Process(receiver)
        return max(part.memory_info().rss for part in (process, *process.children()))

    def load() -> None:
        with ThreadPoolExecutor(16) as pool:
            posted = pool.map(lambda _: sender.post("training_run.failed", model="memory").status_code, range(300))
            assert set(posted) == {202}

    load()
    before = held()
    load()
    assert held() < before + 8 * 2**20


def test_a_mistake_at_the_command_line_is_a_sentence(stack):
    shown = stack.registrar("runs", "-e", "no such experiment")
    assert (shown.returncode, shown.stderr.count("\n")) == (1, 1)
    assert shown.stderr.startswith("registrar: MLflow has no experiment 'no such experiment'; ")
