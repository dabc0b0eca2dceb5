"""Of a receiver's processes each says all, and what the journal tells is not added up."""

import os
import re
import subprocess
import sys

from tests.metrics.reading import families
from tests.worker.harness import WorkerHarness

CODE = """
import sys
from registrar.ledger import Ledger
from registrar.policy import Policy
from webhooks.monitoring.metrics import Metrics

metrics = Metrics(["ci"], dict, Ledger(sys.argv[1]), Policy(version=1), shared=sys.argv[2])
metrics.answered("ci", 202)
print(metrics.text().decode())
"""


def scraped(ledger_url: str, folder: str) -> str:
    """By a process of its own, which counts one answer."""
    command = [sys.executable, "-c", CODE, ledger_url, folder]
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def test_counts_of_processes_are_added_and_the_ledgers_are_not(ledger, ledger_url, tmp_path):
    harness = WorkerHarness(ledger, tmp_path)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    (tmp_path / "shared").mkdir()
    scraped(ledger_url, str(tmp_path / "shared"))
    text = scraped(ledger_url, str(tmp_path / "shared"))
    types = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(types) == len(set(types))
    found = families(text)
    assert found["registrar_webhook_answers_total"] == {("ci", "202"): 2}
    assert found["registrar_journal_entries_total"]["promotion.opened",] == 2
