"""What a worker says when it starts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from registrar.ledger import Ledger
from tests.worker.harness import KEY

POLICY = "{version: 1, sources: {}, channels: {log: {kind: log}}, groups: {nobody: []}}"


def stderr_lines(environ: dict[str, str]) -> Iterator[str]:
    """The lines of a worker's log, until it is connected to what is no broker."""
    command = [sys.executable, "-m", "worker", "run"]
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                yield line
                if "Cannot connect" in line:
                    return
        finally:
            process.kill()


def test_what_registrar_yml_says_in_vain_is_in_the_log_once(ledger: Ledger, tmp_path: Path):
    """The same sentence as of check-config, for whoever starts without `registrar up`."""
    (tmp_path / "registrar.yml").write_text(POLICY)
    environ = {
        "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "REGISTRAR_LEDGER_URL": ledger.engine.url.render_as_string(hide_password=False),
        "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",
        "REGISTRAR_SECRET_KEY": KEY,
    }
    [line] = [line for line in stderr_lines(environ) if "groups.nobody" in line]
    assert "WARNING registrar.policy.installation_check: " in line
    assert f"{tmp_path}/registrar.yml:1: groups.nobody: has no members, so nobody has the rights of this group" in line
