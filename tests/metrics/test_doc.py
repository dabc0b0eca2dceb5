"""docs/reference/metrics.md names what a scrape shows, with its type and labels, and nothing else."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from registrar.policy.load import parse
from tests.webhooks.conftest import REGISTRAR_YML
from webhooks.monitoring.metrics import Metrics
from worker import observability

DOC = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
RECEIVER = DOC.split("## The receiver's metrics")[1].split("\n## ")[0]
WORKER = DOC.split("## A worker's metrics")[1].split("\n## ")[0]
_ROW = re.compile(r"^\| `(registrar_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def told(section: str) -> dict[str, tuple[str, set[str]]]:
    """Name -> type, labels."""
    return {name: (type_, set(re.findall(r"`(\w+)`", labels))) for name, type_, labels in _ROW.findall(section)}


def shown(text: str) -> dict[str, str]:
    """Name -> type; of families without a number, too."""
    return dict(re.findall(r"^# TYPE (registrar_\w+) (\w+)$", text, re.MULTILINE))


def test_the_receivers_metrics_are_those_of_the_table(ledger):
    text = Metrics(["ci"], dict, ledger, parse(REGISTRAR_YML)).text().decode()
    assert {name: type_ for name, (type_, _) in told(RECEIVER).items()} == shown(text)


def test_a_workers_metrics_are_those_of_the_table():
    assert {name: type_ for name, (type_, _) in told(WORKER).items()} == shown(observability.metrics_text().decode())


def test_labels_are_those_of_the_table(harness):
    """Of all that a whole life of a version leaves."""
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("training_run.finished", model="taxi", run_id="nowhere")
    receiver = Metrics(["ci"], lambda: {"ci": 1}, harness.ledger, harness.context.policy)
    told_of = told(RECEIVER) | told(WORKER)
    seen: set[str] = set()
    for family in text_string_to_metric_families((receiver.text() + observability.metrics_text()).decode()):
        for sample in family.samples:
            name = re.sub("_(bucket|sum|count)$", "", sample.name) if family.type == "histogram" else sample.name
            assert set(sample.labels) - {"le"} == told_of[name][1], name
            seen.add(name)
    assert {"registrar_lead_time_seconds", "registrar_task_attempt_seconds", "registrar_gate_results_total"} <= seen
