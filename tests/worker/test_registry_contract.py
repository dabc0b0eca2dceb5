"""The door's claims, on MLflow itself and on the fake that action tests use."""

import http.server
import json
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registrar.ledger.tasks import LeaseLost
from tests.fakes import FakeRegistry
from tests.mlflow_server import train, train_logged_model, write_over
from worker.registry import files
from worker.registry import versions as searches
from worker.registry.entities import ModelSource
from worker.registry.errors import SETTLE_SECONDS
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import AmbiguousError, NotFound, PermanentError, Refused, Registry, RetryableError


class RealWorld:
    """MLflow, with what a data scientist does in it."""

    def __init__(self, address: str) -> None:
        self.client = MlflowClient(address)
        self.registry: Registry = MlflowRegistry(address, search_sizes=(1, 4))

    def time_passes(self) -> None:
        """As it does between two calls."""

    def train(self, **given) -> str:
        return train(self.client, **given)

    def delete_experiment(self, name: str) -> None:
        self.client.delete_experiment(self.client.get_experiment_by_name(name).experiment_id)

    def rewrite(self, model: str, version: int, path: str, content: str) -> None:
        """A file among those of a version in the manner of MLflow 2 is changed."""
        found = self.client.get_model_version(model, str(version))
        self.client.log_text(found.run_id, content, f"model/{path}")


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeRegistry()
        self.fake.glance = 0
        self.registry: Registry = self.fake

    def time_passes(self) -> None:
        self.fake.clock += 1

    def delete_experiment(self, name: str) -> None:
        self.fake.delete_experiment(name)

    def train(self, *, experiment: str = "taxi", rmse: float = 5.0, artifact: str = "model", name: str = "") -> str:
        if self.fake.experiment(experiment) is None:
            self.fake.create_experiment(experiment, tags={})
        run_id = uuid.uuid4().hex
        self.fake.trained(run_id, artifact or None, rmse=rmse)
        return run_id

    def rewrite(self, model: str, version: int, path: str, content: str) -> None:
        self.fake.files.setdefault(f"models/{model}/{version}", {})[path] = content.encode()


@pytest.fixture(params=["fake", "mlflow"])
def world(request) -> FakeWorld | RealWorld:
    return FakeWorld() if request.param == "fake" else RealWorld(request.getfixturevalue("mlflow_address"))


@pytest.fixture
def name() -> str:
    return f"model-{uuid.uuid4().hex[:8]}"


def register(world, model: str, **given):
    run = world.registry.run(world.train(**given))
    world.registry.ensure_model(model)
    source = world.registry.source_of(run, "model")
    tags = {"registrar.task": "t1"}
    return world.registry.create_version(model, source, run_id=run.id, description="made", tags=tags)


def test_a_version_is_made_with_its_tags_and_description(world, name):
    made = register(world, name)
    found = world.registry.version(name, 1)
    assert (made.version, found.stage, found.description, found.tags) == (1, "None", "made", {"registrar.task": "t1"})


def test_a_version_of_no_model_is_not_made(world, name):
    run = world.registry.run(world.train())
    source = world.registry.source_of(run, "model")
    with pytest.raises(NotFound):
        world.registry.create_version(name, source, run_id=run.id, description="", tags={})
    assert world.registry.versions(name) == []


def test_a_versions_source_is_the_one_it_was_made_from(world, name):
    run = world.registry.run(world.train())
    source = world.registry.source_of(run, "model")
    world.registry.ensure_model(name)
    world.registry.create_version(name, source, run_id=run.id, description="", tags={})
    [found] = world.registry.versions(name, run_id=run.id)
    assert (found.source, found.run_id) == (source.uri, run.id)


def test_versions_come_newest_first(world, name):
    for _ in range(3):
        register(world, name)
    assert [v.version for v in world.registry.versions(name)] == [3, 2, 1]
    assert [v.version for v in world.registry.versions(name, newest=2)] == [3, 2]
    assert world.registry.versions("nobody-made-this") == []


def test_ensuring_a_model_twice_is_no_error(world, name):
    world.registry.ensure_model(name)
    world.registry.ensure_model(name)
    assert world.registry.model(name).name == name


def test_a_stage_and_an_alias_move(world, name):
    register(world, name)
    register(world, name)
    world.registry.set_alias(name, "champion", 1)
    moved = world.registry.set_stage(name, 1, "Production")
    assert (moved, moved.stage, moved.aliases) == (world.registry.version(name, 1), "Production", ("champion",))
    world.registry.set_alias(name, "champion", 2)
    assert world.registry.model(name).aliases == {"champion": 2}
    assert [(v.version, v.stage) for v in world.registry.versions(name)] == [(2, "None"), (1, "Production")]
    world.registry.drop_alias(name, "champion")
    world.registry.drop_alias(name, "champion")
    assert world.registry.model(name).aliases == {}


def test_an_alias_names_one_version_and_an_unknown_one_none(world, name):
    assert world.registry.by_alias(name, "champion") is None
    register(world, name)
    assert world.registry.by_alias(name, "champion") is None
    world.registry.set_alias(name, "champion", 1)
    found = world.registry.by_alias(name, "champion")
    assert (found.version, found.aliases) == (1, ("champion",))
    world.registry.delete_version(name, 1)
    assert world.registry.by_alias(name, "champion") is None


def test_what_was_made_too_late_is_taken_back(world, name):
    register(world, name)
    register(world, name)
    world.registry.take_back(name, 2)
    assert [version.version for version in world.registry.versions(name)] == [1]


def test_it_is_taken_back_though_the_task_is_anothers(real, name):
    def lost() -> None:
        raise LeaseLost("tsk_1")

    register(real, name)
    registry = real.registry.guarded(lost)
    with pytest.raises(LeaseLost):
        registry.delete_version(name, 1)
    registry.take_back(name, 1)
    assert registry.versions(name) == []


def test_what_changed_is_told_and_what_is_no_change(world, name):
    """A stage, a description and a new version are; tags and aliases are not: nobody looks for those here."""
    assert world.registry.recent(name).versions == []
    for _ in range(4):
        register(world, name)
    changes = [
        (lambda: world.registry.set_stage(name, 2, "Production"), [2]),
        (lambda: world.registry.set_tag(name, 3, "why", "because"), []),
        (lambda: world.registry.set_alias(name, "champion", 3), []),
        (lambda: world.registry.set_description(name, 1, "words"), [1]),
        (lambda: register(world, name), [5]),
        (lambda: world.registry.delete_version(name, 5), []),
        (lambda: world.registry.set_stage(name, 2, "Production"), [2]),
    ]
    for act, expected in changes:
        before = world.registry.recent(name)
        assert (before.whole, before.at) == (True, max(v.changed for v in before.versions))
        world.time_passes()
        act()
        after = world.registry.recent(name, since=before.at + 1)
        changed = [v for v in after.versions if v.changed > before.at]
        assert [v.version for v in changed] == expected
        for version in changed:
            assert version == replace(world.registry.version(name, version.version), aliases=())
            assert after.at == version.changed
        world.registry.drop_alias(name, "champion")


def test_a_change_in_the_very_moment_asked_for_is_among_them(world, name):
    for _ in range(6):
        register(world, name)
        world.time_passes()
    at = world.registry.recent(name).at
    assert [v.version for v in world.registry.recent(name, since=at).versions] == [6]
    assert world.registry.recent(name, since=at + 1).versions == []


def test_the_mlmodel_file_is_read_and_what_is_none_says_nothing(world, name):
    register(world, name)
    world.rewrite(name, 1, "MLmodel", "flavors: {}\nsignature: {inputs: '[]'}\n")
    assert world.registry.mlmodel(name, 1)["signature"] == {"inputs": "[]"}
    for content in ("just words", "a: [", ""):
        world.rewrite(name, 1, "MLmodel", content)
        assert world.registry.mlmodel(name, 1) == {}


@pytest.mark.parametrize("most", [0, 1_000_000])
@pytest.mark.parametrize(("path", "content"), [("MLmodel", "flavors: {a: 1}\n"), ("data/deep/w.bin", "more")])
def test_another_file_is_another_digest(world, name, path, content, most):
    register(world, name)
    world.rewrite(name, 1, "MLmodel", "flavors: {b: 1}\n")
    first = world.registry.look_at_files(world.registry.version(name, 1), most=most)
    assert world.registry.look_at_files(world.registry.version(name, 1), most=most) == first
    world.rewrite(name, 1, path, content)
    assert world.registry.look_at_files(world.registry.version(name, 1), most=most).digest != first.digest


@pytest.mark.parametrize(("most", "noticed"), [(6, False), (1_000_000, True)])
def test_content_of_the_same_size_is_compared_as_far_as_it_may_be(world, name, most, noticed):
    register(world, name)
    world.rewrite(name, 1, "data/weights.txt", "weights")
    first = world.registry.look_at_files(world.registry.version(name, 1), most=most)
    world.rewrite(name, 1, "data/weights.txt", "WEIGHTS")
    assert (world.registry.look_at_files(world.registry.version(name, 1), most=most).digest != first.digest) is noticed
    assert first.compared.startswith("content" if noticed else "names and sizes")


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_logged_models_files_are_looked_at_and_not_its_id(mlflow_address, name, most):
    world = RealWorld(mlflow_address)
    run = world.registry.run(train_logged_model(world.client))
    world.registry.ensure_model(name)
    source = world.registry.source_of(run, "model")
    world.registry.create_version(name, source, run_id=run.id, description="", tags={})
    first = world.registry.look_at_files(world.registry.version(name, 1), most=most)
    assert world.registry.look_at_files(world.registry.version(name, 1), most=most) == first
    write_over(mlflow_address, world.client, source.logged_model, "MLmodel", "flavors: []\n")
    assert world.registry.look_at_files(world.registry.version(name, 1), most=most).digest != first.digest


def test_small_files_are_compared_before_large_ones(mlflow_address, name):
    """Code and settings are small, weights are not."""
    world = RealWorld(mlflow_address)
    register(world, name)
    world.rewrite(name, 1, "code/predict.py", "1 + 1")
    world.rewrite(name, 1, "data/weights.txt", "weights" * 100)
    first = world.registry.look_at_files(world.registry.version(name, 1), most=100)
    assert first.compared == "names and sizes of 3 files, content of 2"
    world.rewrite(name, 1, "data/weights.txt", "WEIGHTS" * 100)
    assert world.registry.look_at_files(world.registry.version(name, 1), most=100) == first
    world.rewrite(name, 1, "code/predict.py", "1 - 1")
    assert world.registry.look_at_files(world.registry.version(name, 1), most=100).digest != first.digest


def test_each_folder_is_listed_once_and_each_file_asked_for_once(mlflow_address, name, monkeypatch):
    world = RealWorld(mlflow_address)
    register(world, name)
    calls = []
    monkeypatch.setattr(files, "list_artifacts", noting("list", files.list_artifacts, calls))
    monkeypatch.setattr(files, "instrumented", lambda _, call: noting("download", call, calls))
    world.registry.look_at_files(world.registry.version(name, 1), most=1_000_000)
    assert calls == ["list", "list", "download", "download"]


def noting(what: str, call, calls: list[str]):
    def noted(*given, **named):
        calls.append(what)
        return call(*given, **named)

    return noted


@pytest.mark.parametrize("hand", ["bob", ""])
def test_who_began_a_run_is_not_whom_its_tag_names_later(mlflow_address, hand):
    world = RealWorld(mlflow_address)
    run_id = world.train(user="ada")
    world.client.set_tag(run_id, "mlflow.user", hand)
    assert world.registry.run(run_id).user == "ada"
    world.client.delete_tag(run_id, "mlflow.user")
    assert world.registry.run(run_id).user == "ada"


def test_a_run_that_was_begun_without_a_user_has_the_one_of_its_tag(mlflow_address):
    world = RealWorld(mlflow_address)
    run_id = world.client.create_run("0").info.run_id
    assert world.registry.run(run_id).user == ""
    world.client.set_tag(run_id, "mlflow.user", "ada")
    assert world.registry.run(run_id).user == "ada"


def test_a_description_and_a_tag_are_set(world, name):
    register(world, name)
    world.registry.set_alias(name, "champion", 1)
    assert world.registry.set_description(name, 1, "line 1\nline 2") == world.registry.version(name, 1)
    world.registry.set_tag(name, 1, "why", "because")
    found = world.registry.version(name, 1)
    assert (found.description, found.tags["why"]) == ("line 1\nline 2", "because")


def test_a_long_tag_is_cut(world, name):
    register(world, name)
    world.registry.set_tag(name, 1, "why", "x" * 6000)
    assert world.registry.version(name, 1).tags["why"] == "x" * 4999 + "…"


def test_a_tag_is_taken_away_and_once_more(world, name):
    register(world, name)
    world.registry.drop_tag(name, 1, "registrar.task")
    world.registry.drop_tag(name, 1, "registrar.task")
    assert world.registry.version(name, 1).tags == {}


def test_a_deleted_version_is_gone_and_its_alias_with_it(world, name):
    """Nothing is asked: whoever deletes must have looked at what holds it."""
    register(world, name)
    register(world, name)
    world.registry.set_stage(name, 1, "Production")
    world.registry.set_alias(name, "champion", 1)
    world.registry.delete_version(name, 1)
    assert [v.version for v in world.registry.versions(name)] == [2]
    assert world.registry.model(name).aliases == {}
    for call in (world.registry.version, world.registry.delete_version, world.registry.size_of):
        with pytest.raises(NotFound):
            call(name, 1)


@pytest.fixture
def hide(world):
    """Give a version the tag by which MLflow takes it for a prompt; its own client would not."""

    def tag(model: str, version: int) -> None:
        world.registry.set_tag(model, version, "mlflow.prompt.is_prompt", "true")

    return tag


@pytest.mark.parametrize("hidden", [1, 3])
def test_a_prompts_tag_hides_no_version(world, name, hide, hidden):
    """MLflow's searches leave out all versions of a model, where one has it; its client knows that one by no means."""
    runs = [register(world, name).run_id for _ in range(3)]
    world.registry.set_stage(name, 1, "Production")
    world.registry.set_alias(name, "champion", hidden)
    hide(name, hidden)
    registry = world.registry
    assert registry.version(name, hidden).run_id == runs[hidden - 1]
    assert registry.by_alias(name, "champion").version == hidden
    assert [version.version for version in registry.versions(name)] == [3, 2, 1]
    assert [version.version for version in registry.versions(name, newest=2)] == [3, 2]
    assert [version.version for version in registry.versions(name, run_id=runs[1])] == [2]
    for since in (None, 1):
        recent = registry.recent(name, since=since)
        assert {version.version: version.stage for version in recent.versions} == {
            1: "Production",
            2: "None",
            3: "None",
        }
        assert recent.at == max(version.changed for version in recent.versions)
    version = registry.version(name, hidden)
    assert registry.look_at_files(version, most=0) == registry.look_at_files(version, most=0)


def test_a_copy_is_found_in_a_model_that_is_hidden(world, name, hide):
    register(world, name)
    run_id, copy = world.registry.version(name, 1).run_id, f"{name}-eu"
    world.registry.ensure_model(copy)
    for _ in range(2):
        made = world.registry.create_version(
            copy, ModelSource(f"models:/{name}/1"), run_id=run_id, description="", tags={}
        )
    hide(copy, 1)
    assert sorted(str(found) for found in world.registry.copies(name)) == [f"{copy} version 1", str(made)]


def test_a_search_shows_no_aliases(world, name):
    register(world, name)
    world.registry.set_alias(name, "champion", 1)
    assert [v.aliases for v in world.registry.versions(name)] == [()]
    assert [v.aliases for v in world.registry.versions(name, newest=1)] == [()]


@pytest.mark.parametrize("awkward", ["", "_'%\\ x"])
def test_copies_are_found_in_every_model(world, name, awkward):
    original, other = f"{name}{awkward}", f"{name}-eu"
    ours, theirs = register(world, original), register(world, other)
    for model, of in ((original, ours), (other, ours), (other, theirs)):
        source = ModelSource(f"models:/{of.model}/1")
        world.registry.create_version(model, source, run_id=of.run_id or "", description="", tags={})
    found = {(v.model, v.version, v.source) for v in world.registry.copies(original)}
    assert found == {(original, 2, f"models:/{original}/1"), (other, 2, f"models:/{original}/1")}
    assert [v.version for v in world.registry.copies(other)] == [3]


def test_a_version_is_as_large_as_its_files_in_all_folders(world, name):
    register(world, name)
    world.rewrite(name, 1, "MLmodel", "flavors: {}\n")
    world.rewrite(name, 1, "data/weights.txt", "weights")
    assert world.registry.size_of(name, 1) == 19


def test_a_version_without_files_is_of_no_size(world, name):
    world.registry.ensure_model(name)
    run = world.registry.run(world.train())
    empty = ModelSource(f"{run.artifact_uri}/nothing")
    world.registry.create_version(name, empty, run_id=run.id, description="", tags={})
    assert world.registry.size_of(name, 1) == 0


def test_what_is_not_there_is_not_found(world, name):
    for call in (
        lambda: world.registry.run("f" * 32),
        lambda: world.registry.version(name, 1),
        lambda: world.registry.model(name),
        lambda: world.registry.search_runs("no such experiment"),
        lambda: world.registry.source_of(world.registry.run(world.train(artifact="")), "model"),
    ):
        with pytest.raises(NotFound):
            call()


def test_experiments_are_found_by_name(world):
    name = f"experiment {uuid.uuid4().hex}"
    assert world.registry.experiment(name) is None
    made = world.registry.create_experiment(name, tags={"team": "taxi"})
    assert world.registry.experiment(name).id == made
    assert made in [experiment.id for experiment in world.registry.experiments()]
    with pytest.raises(PermanentError):
        world.registry.create_experiment(name, tags={})


def test_an_experiment_that_was_deleted_is_found_as_that_and_keeps_its_name(world):
    name = f"experiment {uuid.uuid4().hex}"
    made = world.registry.create_experiment(name, tags={})
    world.delete_experiment(name)
    found = world.registry.experiment(name)
    assert (found.id, found.deleted) == (made, True)
    assert made not in [experiment.id for experiment in world.registry.experiments()]
    with pytest.raises(PermanentError):
        world.registry.create_experiment(name, tags={})


def test_runs_are_searched(world):
    experiment = f"experiment {uuid.uuid4().hex}"
    for rmse in (8.0, 6.0, 5.0):
        world.train(experiment=experiment, rmse=rmse)
    found = world.registry.search_runs(
        experiment, filter_string="metrics.rmse < 7", order_by=["metrics.rmse ASC"], max_results=5
    )
    assert [run.metrics["rmse"] for run in found] == [5.0, 6.0]


def test_a_filter_that_cannot_be_read_is_the_mistake_of_whoever_asked(world):
    world.train(experiment="filters")
    with pytest.raises(Refused, match="searching the runs"):
        world.registry.search_runs("filters", filter_string="metrics.rmse is small")


# What only the real one can show.


@pytest.fixture
def real(mlflow_address) -> RealWorld:
    return RealWorld(mlflow_address)


def test_all_versions_are_read_page_by_page_while_others_are_deleted(real, name, monkeypatch):
    monkeypatch.setattr(searches, "_PAGE", 2)
    for _ in range(5):
        register(real, name)
    search = real.registry._client.search_model_versions

    def then_one_goes(*given, **named):
        found = search(*given, **named)
        if found and int(found[0].version) == 5:
            real.client.delete_model_version(name, "5")
        return found

    monkeypatch.setattr(real.registry._client, "search_model_versions", then_one_goes)
    assert [version.version for version in real.registry.versions(name)] == [5, 4, 3, 2, 1]
    assert [version.version for version in real.registry.recent(name).versions] == [4, 3, 2, 1]


def test_what_changed_too_much_is_read_whole(real, name):
    for _ in range(6):
        register(real, name)
    found = real.registry.recent(name, since=1)
    assert ([version.version for version in found.versions], found.whole) == ([6, 5, 4, 3, 2, 1], True)


def test_a_prompt_is_no_model_to_write_to(real, name):
    """MlflowClient looks for that before it writes; here whoever writes has read the version before."""
    real.client.register_prompt(name, "Say {{word}}")
    with pytest.raises(NotFound):
        real.registry.version(name, 1)
    assert (real.registry.versions(name), real.registry.recent(name).versions) == ([], [])


def test_the_model_of_an_mlflow_3_run_is_its_logged_model(real, name):
    run = real.registry.run(train_logged_model(real.client))
    source = real.registry.source_of(run, "model")
    assert source.logged_model.startswith("m-")
    real.registry.ensure_model(name)
    made = real.registry.create_version(name, source, run_id=run.id, description="", tags={})
    assert made.run_id == run.id
    [found] = real.registry.versions(name, run_id=run.id)
    assert found.source == source.uri


def test_the_models_of_a_run_are_listed_by_name_in_either_style(real):
    run = real.registry.run(train_logged_model(real.client, name="models"))
    assert real.registry.logged_models(run) == ["models"]
    assert real.registry.source_of(run, "models").name == "models"
    older = train(real.client, artifact="models")
    assert real.registry.logged_models(real.registry.run(older)) == []
    history = json.dumps([{"artifact_path": "models", "run_id": older}, {"artifact_path": None}, "x"])
    real.client.set_tag(older, "mlflow.log-model.history", history)
    run = real.registry.run(older)
    assert real.registry.logged_models(run) == ["models"]
    assert real.registry.source_of(run, "models").uri == f"{run.artifact_uri}/models"
    real.client.set_tag(older, "mlflow.log-model.history", "[broken")
    assert real.registry.logged_models(real.registry.run(older)) == []


@pytest.mark.parametrize("style", [train, train_logged_model])
def test_a_version_of_either_style_can_be_fetched(real, name, tmp_path: Path, style):
    run = real.registry.run(style(real.client))
    real.registry.ensure_model(name)
    source = real.registry.source_of(run, "model")
    real.registry.create_version(name, source, run_id=run.id, description="", tags={})
    assert "MLmodel" in real.registry.files_of(name, 1)
    fetched = real.registry.download_version(name, 1, tmp_path)
    assert (fetched / "MLmodel").read_text() == "flavors: {}\n"


def test_a_version_of_a_logged_model_has_a_size(real, name):
    run = real.registry.run(train_logged_model(real.client))
    real.registry.ensure_model(name)
    source = real.registry.source_of(run, "model")
    real.registry.create_version(name, source, run_id=run.id, description="", tags={})
    assert real.registry.size_of(name, 1) == 12


def test_a_copy_made_of_an_alias_names_the_version(real, name):
    """MLflow resolves it: no source is an alias, so looking for versions finds all copies."""
    register(real, name)
    real.registry.set_alias(name, "champion", 1)
    copy = real.client.copy_model_version(f"models:/{name}@champion", f"{name}-eu")
    assert copy.source == f"models:/{name}/1"
    assert [v.model for v in real.registry.copies(name)] == [f"{name}-eu"]


def test_deleting_a_version_leaves_its_files(real, name, tmp_path: Path):
    made = register(real, name)
    real.registry.delete_version(name, 1)
    assert (real.registry.download_run(made.run_id, "model/MLmodel", tmp_path)).is_file()


def test_too_many_files_are_not_counted(real, name, monkeypatch):
    register(real, name)
    monkeypatch.setattr("worker.registry.files._MAX_FILES", 2)
    with pytest.raises(PermanentError, match="2 files or more"):
        real.registry.size_of(name, 1)


def test_part_of_a_runs_artifacts_can_be_fetched(real, tmp_path: Path):
    fetched = real.registry.download_run(train(real.client), "model/data", tmp_path)
    assert (fetched.name, (fetched / "weights.txt").read_text()) == ("data", "weights")


def test_a_single_file_can_be_fetched(real, tmp_path: Path):
    fetched = real.registry.download_run(train(real.client), "model/MLmodel", tmp_path)
    assert (fetched.name, fetched.read_text()) == ("MLmodel", "flavors: {}\n")


def test_a_whole_run_can_be_fetched(real, tmp_path: Path):
    fetched = real.registry.download_run(train(real.client), None, tmp_path)
    assert (fetched / "model" / "MLmodel").is_file()


def test_a_registry_that_is_down_is_retryable():
    for call in (
        lambda r: r.run("a" * 32),
        lambda r: r.ensure_model("x"),
        lambda r: r.create_version("x", ModelSource("runs:/a/m"), run_id="a", description="", tags={}),
    ):
        with pytest.raises(RetryableError, match="does not answer"):
            call(MlflowRegistry("http://127.0.0.1:9"))


def test_a_write_that_nobody_answered_is_given_time_to_end_before_it_is_looked_for():
    registry = MlflowRegistry("http://127.0.0.1:9")
    with pytest.raises(RetryableError) as reading:
        registry.run("a" * 32)
    with pytest.raises(RetryableError) as writing:
        registry.set_stage("x", 1, "Staging")
    assert (reading.value.after, writing.value.after) == (None, SETTLE_SECONDS)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (408, RetryableError),
        (429, RetryableError),
        (500, AmbiguousError),
        (501, PermanentError),
        (502, RetryableError),
        (503, RetryableError),
    ],
)
def test_a_registry_that_answers_with_an_error_is_sorted_by_it(status, fate):
    body = json.dumps(
        {"error_code": "NOT_IMPLEMENTED" if status == 501 else "INTERNAL_ERROR", "message": "no"}
    ).encode()

    class Broken(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_): ...

    with http.server.HTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(fate) as error:
            MlflowRegistry(f"http://127.0.0.1:{server.server_port}").run("a" * 32)
    assert type(error.value) is fate


def test_nothing_is_written_once_the_lease_is_lost(real, name):
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    guarded = real.registry.guarded(lost)
    with pytest.raises(Lost):
        guarded.ensure_model(name)
    with pytest.raises(NotFound):
        real.registry.model(name)


def test_names_with_a_quote_can_be_searched(real):
    assert real.registry.versions("o'hare") == []
    with pytest.raises(PermanentError, match="both kinds"):
        real.registry.versions('o\'hare "field"')


def test_of_files_that_were_seen_only_what_lacks_is_read(world, name):
    register(world, name)
    world.rewrite(name, 1, "MLmodel", "flavors: {b: 1}\n")
    world.rewrite(name, 1, "weights.txt", "weights")
    version = world.registry.version(name, 1)
    names, everything = (world.registry.look_at_files(version, most=most) for most in (0, 1_000_000))
    world.rewrite(name, 1, "MLmodel", "flavors: {c: 1}\n")
    assert world.registry.look_at_files(version, most=0, known=names) == names
    assert world.registry.look_at_files(version, most=1_000_000, known=names) == everything
    assert world.registry.look_at_files(version, most=0) != names
