"""The receiver is light: no mlflow, under 90 MB. How long it takes to start: tests/bench/start.py."""

import json
import subprocess
import sys

MEASURE = """
import json, sys
import webhooks.app
heavy = sorted({"mlflow", "alembic", "pandas", "numpy", "worker"} & set(sys.modules))
import psutil
print(json.dumps([psutil.Process().memory_info().rss / 2**20, heavy]))
"""


def fresh_start() -> tuple[float, list[str]]:
    """Megabytes, heavy modules, in an interpreter of its own."""
    run = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True)
    megabytes, heavy = json.loads(run.stdout)
    return megabytes, heavy


def test_the_receiver_loads_neither_mlflow_nor_alembic_nor_the_worker():
    assert fresh_start()[1] == []


def test_the_receiver_takes_less_than_90_megabytes_to_import():
    assert fresh_start()[0] < 90
