"""The small verbs: describe, report, experiment, fetch, query."""

from dataclasses import replace
from hashlib import sha256

from registrar.config.encryption import REPLY
from registrar.events.types import ArtifactsFetch
from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.queries import event_status
from registrar.queries.fetched_artifacts import read_manifest
from tests.worker.harness import ADA, POLICY


def registered(harness) -> None:
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


def test_a_version_is_described_and_tagged(harness):
    registered(harness)
    harness.post("model_version.describe", model="taxi", version=1, description="new", tags={"risk": "low"})
    found = harness.registry.version("taxi", 1)
    assert (found.description, found.tags["risk"]) == ("new", "low")


def test_a_failed_training_is_told_and_registers_nothing(harness):
    harness.post("training_run.failed", model="taxi", run_id="r1", reason="out of memory")
    assert harness.fact("training_run.failed") == "training run r1 of taxi failed: out of memory"
    assert harness.registry.writes == []


def test_an_experiment_is_created_once(harness):
    harness.post("experiment.create", name="nyc", tags={"team": "taxi"})
    event = harness.post("experiment.create", name="nyc")
    assert [e.name for e in harness.registry.experiments()] == ["nyc"]
    assert harness.tasks_of(event) == [("create_experiment", "succeeded")]


def test_an_experiment_that_was_deleted_is_no_experiment_that_is_there(harness):
    """MLflow finds it by its name all the same: it was said to be there already, and no run could be logged into it."""
    harness.post("experiment.create", name="nyc")
    harness.registry.delete_experiment("nyc")
    event = harness.post("experiment.create", name="nyc")
    assert harness.tasks_of(event) == [("create_experiment", "refused")]
    told = harness.fact("task.refused")
    assert "experiment 'nyc' (id 1) was deleted, and MLflow keeps its name" in told
    assert "mlflow experiments restore --experiment-id 1" in told


def test_a_version_is_fetched_with_a_manifest(harness, tmp_path):
    registered(harness)
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}", "data/model.pkl": b"\x80never loaded"}
    harness.post("artifacts.fetch", model="taxi", version=1)
    folder = tmp_path / "artifacts" / "models" / "taxi" / "1"
    manifest = read_manifest(tmp_path / "artifacts", ArtifactsFetch(model="taxi", version=1))
    assert manifest["origin"] == "taxi version 1"
    assert manifest["files"]["MLmodel"] == {"bytes": 11, "sha256": sha256(b"flavors: {}").hexdigest()}
    assert (folder / "data" / "model.pkl").read_bytes() == b"\x80never loaded"
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_a_version_that_is_no_model_is_not_put_in_place(harness, tmp_path):
    registered(harness)
    harness.registry.files["models/taxi/1"] = {"notes.txt": b"hello"}
    harness.post("artifacts.fetch", model="taxi", version=1)
    assert "has no MLmodel file" in harness.fact("task.refused")
    assert list((tmp_path / "artifacts" / "models" / "taxi").iterdir()) == []


def test_part_of_a_run_is_fetched_again_whole(harness, tmp_path):
    registered(harness)
    harness.registry.files["runs/r1/extra"] = {"vectorizer.pkl": b"v1", "old.txt": b""}
    harness.post("artifacts.fetch", run_id="r1", path="extra")
    harness.registry.files["runs/r1/extra"] = {"vectorizer.pkl": b"v2"}
    harness.post("artifacts.fetch", run_id="r1", path="extra")
    folder = tmp_path / "artifacts" / "runs" / "r1" / "extra"
    assert (folder / "vectorizer.pkl").read_bytes() == b"v2"
    assert not (folder / "old.txt").exists()


def test_an_artifact_that_is_a_link_is_refused(harness, tmp_path):
    registered(harness)
    download = harness.registry.download_run

    def with_link(run_id, path, folder):
        (folder / "model").mkdir()
        (folder / "model" / "passwd").symlink_to("/etc/passwd")
        return folder / "model"

    harness.registry.download_run = with_link
    harness.post("artifacts.fetch", run_id="r1", path="model")
    harness.registry.download_run = download
    assert "passwd is neither a file nor a folder" in harness.fact("task.failed")
    assert not (tmp_path / "artifacts" / "runs" / "r1" / "model").exists()


def test_a_question_is_answered_where_it_came_from(harness):
    registered(harness)
    reply_to = harness.context.encryptor.encrypt({"kind": "slack", "url": "http://127.0.0.1:9/"}, audience=REPLY)
    event = harness.post("registry.query", question="versions", model="taxi", reply_to=reply_to)
    assert harness.tasks_of(event) == [("query", "succeeded"), ("reply", "queued")]


def test_what_failed_for_good_is_answered_with_the_tasks_to_name(harness):
    harness.post("training_run.finished", model="taxi", run_id="gone")
    harness.post("training_run.finished", model="bus", run_id="gone")
    event = harness.post("registry.query", question="dead", model="taxi")
    with harness.ledger.read() as connection:
        [task] = list_dead_letters(connection, model="taxi")
        said = event_status.event(connection, event)["tasks"][0]["outcome"]["summary"]
    assert said.startswith("What failed for good of taxi\n")
    assert f"reading run gone: no such run  {task.id}" in said
    assert "bus" not in said


def answered(harness, **question) -> str:
    with harness.ledger.read() as connection:
        event = event_status.event(connection, harness.post("registry.query", by=ADA, **question))
    return event["tasks"][0]["outcome"]["summary"] if event["tasks"][0]["outcome"] else event["tasks"][0]["error"]


def test_who_wants_the_files_gets_links_to_them(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    links = {"public_url": "https://registrar.example/", "mlflow_url": "https://mlflow.example"}
    harness.context = replace(harness.context, settings=replace(harness.context.settings, **links))
    assert answered(harness, question="fetch", model="taxi", version=1).splitlines() == [
        "taxi version 1 is in Staging, from models:/m-r1",
        "page: https://registrar.example/models/taxi/versions/1",
        "in MLflow: https://mlflow.example/#/models/taxi/versions/1",
        "files of its run: https://mlflow.example/#/runs/r1/artifacts",
    ]


def test_a_misspelt_model_is_suggested_as_far_as_the_source_may_ask_about_it(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert "did you mean" not in answered(harness, question="versions", model="txai")
    granted = "secrets: [env:CI], may: [{events: [registry.query], models: [t*]}]"
    harness.policy(POLICY.replace("secrets: [env:CI]", granted))
    assert answered(harness, question="versions", model="txai").endswith("; did you mean taxi?")
