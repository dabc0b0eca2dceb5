"""From a sender's request to the call to MLflow, one trace for each event; and nothing at all where nobody asked."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registrar.config.settings import Settings
from registrar.telemetry import tracing
from registrar.telemetry.observability_settings import ObservabilitySettings
from tests.telemetry.tracing.collector import Collector, collector
from tests.webhooks.conftest import environ, signed
from tests.worker.harness import POLICY, WorkerHarness
from webhooks.app import create_app
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import RetryableError

SENDER = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def heard(monkeypatch):
    """A collector, and tracing that goes there once it is started."""
    with collector() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
        yield one
        tracing.stop()


def started(part: str, heard: Collector, folder: Path) -> None:
    tracing.start(Settings.read({**environ(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": heard.endpoint}), part)


def accepted(ledger, folder: Path, run_id: str) -> str:
    """Posts a training, with the sender's own trace; the event's id."""
    settings = replace(Settings.read(environ(folder)), ledger_url=str(ledger.engine.url))
    body = b'{"type":"training_run.finished","data":{"model":"nyc-taxi-fares","run_id":"%s"}}' % run_id.encode()
    headers = {**signed(body), "traceparent": f"00-{SENDER}-b7ad6b7169203331-01"}
    answer = create_app(settings).test_client().post("/webhooks/ci", data=body, headers=headers)
    assert answer.status_code == 202
    return answer.json["events"][0]["id"]


def test_request_task_and_calls_are_one_trace(ledger, tmp_path, heard, mlflow_address):
    registry = MlflowRegistry(mlflow_address)
    client = MlflowClient(mlflow_address)
    run = client.create_run(client.create_experiment(tmp_path.name))
    started("receiver", heard, tmp_path)
    event_id = accepted(ledger, tmp_path, run.info.run_id)
    tracing.stop()
    started("worker", heard, tmp_path)
    WorkerHarness(ledger, tmp_path, registry).work()
    tracing.stop()
    trace, first = tracing.ids(event_id)
    [door] = heard.named("webhook ci")
    assert (door.trace, door.id, door.parent, door.links) == (trace, first, "", (SENDER,))
    assert door.attributes["registrar.event"] == event_id
    [task] = heard.named("worker.register")
    assert (task.service, task.trace, task.parent, task.failed) == ("registrar-worker", trace, first, True)
    assert task.attributes["error.type"] == "NotFound"  # the run has no model
    [call] = heard.named("mlflow get_run")
    assert (call.trace, call.parent) == (trace, task.id)


def test_what_came_again_has_its_trace_already(ledger, tmp_path, heard):
    settings = replace(Settings.read(environ(tmp_path)), ledger_url=str(ledger.engine.url))
    started("receiver", heard, tmp_path)
    client = create_app(settings).test_client()
    body = b'{"type":"training_run.failed","data":{"model":"nyc-taxi-fares"}}'
    for _ in range(2):
        client.post("/webhooks/ci", data=body, headers=signed(body, id="msg_1"))
    tracing.stop()
    assert len(heard.named("webhook ci")) == 1


def test_an_error_is_told_by_its_kind_and_not_by_what_it_says(office_of, heard, tmp_path):
    harness = office_of()
    started("worker", heard, tmp_path)
    harness.registry.fail["run"] = RetryableError("refused: the-secret-of-somebody")
    harness.registry.trained("r1", rmse=5.0)
    event_id = harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.later(minutes=1)
    tracing.stop()
    failed, *later = heard.named("worker.register")
    assert (failed.failed, failed.attributes["error.type"], failed.attributes["registrar.attempt"]) == (
        True,
        "RetryableError",
        1,
    )
    assert [(span.failed, span.attributes["registrar.attempt"]) for span in later] == [(False, 2)]
    assert {span.trace for span in heard.spans if span.attributes["registrar.event"] == event_id} == {
        tracing.ids(event_id)[0]
    }
    assert not [body for body in heard.raw if b"the-secret" in body]


def test_what_the_clock_begins_is_a_trace_too(ledger, tmp_path, heard):
    harness = WorkerHarness(ledger, tmp_path, policy=POLICY.replace("  taxi:\n", "  taxi:\n    reconcile_every: 1h\n"))
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    started("worker", heard, tmp_path)
    harness.later(hours=1)
    tracing.stop()
    [scheduler] = heard.named("scheduler")
    [done] = heard.named("worker.reconcile")
    assert (done.trace, done.parent) == (scheduler.trace, scheduler.id)


def test_both_parts_leave_away_what_the_sampler_does(office_of, heard, tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    started("worker", heard, tmp_path)
    office_of().post("training_run.failed", model="taxi")
    tracing.stop()
    assert heard.spans == []


@pytest.fixture
def office_of(ledger, tmp_path):
    return lambda: WorkerHarness(ledger, tmp_path)


def test_half_of_the_traces_are_kept_where_half_are_asked_for():
    """Samplers go by the lower half of a trace's id: it must be any number, as those of an event's id are not."""
    lower = [int(tracing.ids(f"evt_{number:032x}")[0][16:], 16) for number in range(2000)]
    assert 900 < sum(one < 2**63 for one in lower) < 1100


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_it_is_on_where_it_has_somewhere_to_send(given, on):
    assert ObservabilitySettings.read(given).tracing is on


def test_the_receiver_loads_nothing_of_it_unless_asked():
    code = "import sys, webhooks.app; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_without_the_packages_the_start_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    monkeypatch.delitem(sys.modules, "registrar.telemetry.tracing.otel", raising=False)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(tracing.TracingUnavailable, match=r"mlflow-registrar\[tracing\]"):
        tracing.start(
            Settings.read({**environ(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}), "worker"
        )
