"""The benches of work measure what they say: runs and models are as MLflow makes them, what is sent is applied."""

from collections.abc import Iterator

import pytest

from tests.bench import apply, burst, doctor, hot, senders
from tests.bench.installation import Installation, installation
from tests.bench.load import LoadError
from tests.bench.options import Options
from tests.bench.prepared import Prepared, prepared
from tests.mlflow_server import train
from tests.worker.test_calls import calls  # noqa: F401 (a fixture)
from worker.app import CONCURRENCY
from worker.registry.mlflow import MlflowRegistry


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared(tmp_path_factory.mktemp("mlflow")) as made:
        yield made


@pytest.fixture(scope="module")
def ours(mlflow: Prepared) -> Iterator[Installation]:
    with installation(mlflow.address) as running:
        yield running


def test_models_written_into_the_database_are_as_those_of_the_api(mlflow: Prepared):
    first, other = (mlflow.client.get_model_version(name, "1") for name in mlflow.models("like", 2))
    assert (other.name, other.version) == ("like-1", first.version)
    assert (other.source, other.run_id, other.status) == (first.source, first.run_id, "READY")
    run = train(mlflow.client)
    assert int(mlflow.client.create_model_version("like-1", f"runs:/{run}/model", run).version) == 2


def test_runs_written_into_the_database_are_as_those_of_the_api(mlflow: Prepared):
    by_api = mlflow.client.get_run(train(mlflow.client))
    written = mlflow.client.get_run(mlflow.runs(2)[1])
    assert written.data.metrics == by_api.data.metrics
    assert written.data.tags.keys() == by_api.data.tags.keys()
    assert written.info.status == by_api.info.status
    registry = MlflowRegistry(mlflow.address)
    assert registry.source_of(registry.run(written.info.run_id), "model").uri == f"{written.info.artifact_uri}/model"


def test_the_plain_loop_makes_the_calls_of_a_registration(mlflow: Prepared, calls: list[str]):  # noqa: F811
    [model], [run] = mlflow.models("loop", 1), mlflow.runs(1)
    registry = MlflowRegistry(mlflow.address)
    calls.clear()
    apply.register(registry, model, run)
    assert calls == [
        "GET runs/get",
        "GET mlflow-artifacts/artifacts",
        "GET model-versions/search",
        "GET model-versions/search",  # for what a prompt's tag hides from the first
        "POST model-versions/create",
    ]


def test_a_description_takes_the_calls_that_the_burst_says(mlflow: Prepared, calls: list[str]):  # noqa: F811
    [model] = mlflow.models("described", 1)
    registry = MlflowRegistry(mlflow.address)
    calls.clear()
    registry.version(model, 1)
    registry.set_description(model, 1, "another one")
    assert calls == ["GET model-versions/get", "PATCH model-versions/update"]


def test_what_is_posted_is_applied_and_what_is_not_taken_is_no_figure(mlflow: Prepared, ours: Installation):
    [model] = mlflow.models("posted", 1)
    assert ours.delay(burst.TYPE, {"model": model, "version": 1, "description": "alone"}) > 0
    assert mlflow.client.get_model_version(model, "1").description == "alone"
    with pytest.raises(LoadError, match=r"is refused: .*nowhere"):
        ours.delay(burst.TYPE, {"model": "nowhere", "version": 1, "description": "x"})
    with pytest.raises(LoadError, match="answered with 401"):
        senders.Person(ours.port, "another secret", model).ask()
    with pytest.raises(LoadError, match="answered with 404"):
        senders.pour(ours.port, "/webhooks/nobody", lambda _: (b"{}", {}), count=1, connections=1)


def test_a_burst_is_applied_whole(mlflow: Prepared, ours: Installation):
    found = burst.bear(mlflow, ours, "burst", count=9, models=4)
    assert (found.figures["accepted"], found.figures["applied"]) == (9, 9)
    assert found.figures["chat slowest ms"] >= found.figures["chat p50 ms"] > 0
    assert burst._plot("sqlite", found.times).series["applied"][-1] == 9
    assert next(burst._targets("sqlite", found.figures)).reached


def test_what_was_not_applied_is_short():
    figures = dict.fromkeys(burst.COLUMNS, 1.0) | {"accepted": 100.0, "applied": 99.0, "chat slowest ms": 1001.0}
    assert [target.reached for target in burst._targets("sqlite", figures)] == [False, False]


def test_another_models_event_is_measured_beside_a_queue(
    monkeypatch: pytest.MonkeyPatch, mlflow: Prepared, ours: Installation
):
    monkeypatch.setattr(hot, "SAMPLES", 2)
    figures = hot.beside(ours, *mlflow.models("hot", 2), count=60)
    assert figures["still waiting then"] > 0
    assert figures[hot.TIMES] == pytest.approx(figures[hot.BESIDE] / figures[hot.REST])
    ours.until_done(burst.TASK, poll=0.1)
    with pytest.raises(LoadError, match="1 events of one model were done before"):
        hot.beside(ours, *mlflow.models("cold", 2), count=1)


def test_all_pools_register_every_run(monkeypatch: pytest.MonkeyPatch, mlflow: Prepared):
    monkeypatch.setattr(apply, "POOLS", (("threads", CONCURRENCY), ("prefork", 2)))
    monkeypatch.setattr(apply, "ALONE", 2)
    monkeypatch.setattr(apply, "MODELS", 5)
    result = apply.compare(mlflow, Options(rounds=1, events=8, ledgers=["sqlite"]))
    assert [row[:3] for row in result.table.rows] == [
        ["plain loop", "threads", "1"],
        ["plain loop", "threads", "2"],
        ["plain loop", "threads", str(CONCURRENCY)],
        ["sqlite", "threads", str(CONCURRENCY)],
        ["sqlite", "prefork", "2"],
    ]
    assert all(row[3] > 0 for row in result.table.rows)
    assert [target.unit for target in result.targets] == ["times", "ms"]


def test_doctor_is_measured_where_it_compares_every_holder(
    monkeypatch: pytest.MonkeyPatch, mlflow: Prepared, ours: Installation
):
    monkeypatch.setattr(doctor, "MODELS", 2)
    monkeypatch.setattr(doctor, "VERSIONS", 3)
    monkeypatch.setattr(doctor, "HOLDER", 2)
    models = doctor.fill(mlflow, ours)
    figures = doctor.once(ours, mlflow, models, doctor.Case("beside", queued=20))
    assert figures["tasks before"] > 0
    assert doctor.once(ours, mlflow, models, doctor.BY_HAND)["s"] > 0
    mlflow.client.set_registered_model_alias(models[0], "champion", "3")
    with pytest.raises(LoadError, match="version 2 is not @champion"):
        doctor.once(ours, mlflow, models, doctor.Case("at rest", queued=0))
