"""The receiver is light: no mlflow, an import of under a second, under 90 MB."""

import json
import subprocess
import sys

MEASURE = """
import json, sys, time
begin = time.perf_counter()
import webhooks.app
seconds = time.perf_counter() - begin
heavy = sorted({"mlflow", "alembic", "pandas", "numpy", "worker"} & set(sys.modules))
import psutil
print(json.dumps([seconds, psutil.Process().memory_info().rss / 2**20, heavy]))
"""


def fresh_start() -> tuple[float, float, list[str]]:
    """Seconds to import, megabytes, heavy modules, in an interpreter of its own."""
    run = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True)
    seconds, megabytes, heavy = json.loads(run.stdout)
    return seconds, megabytes, heavy


def test_the_receiver_loads_neither_mlflow_nor_alembic_nor_the_worker():
    assert fresh_start()[2] == []


def test_the_receiver_imports_in_under_a_second_and_under_90_megabytes():
    starts = [fresh_start() for _ in range(5)]
    assert min(seconds for seconds, _, _ in starts) < 1
    assert max(megabytes for _, megabytes, _ in starts) < 90
