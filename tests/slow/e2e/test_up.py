"""`registrar up`, the real one."""

import os
import signal
import time

import psutil
import requests

from registrar.local import orphans
from registrar.local.data_folder import Folder
from tests.e2e.installation import Installation

PATIENCE = 60.0


def pids(stack: Installation) -> dict[str, int]:
    return {entry.name: entry.pid for entry in orphans.read_pids(Folder(stack.data).pids)}


def test_every_part_runs_and_other_terminals_find_them(stack: Installation) -> None:
    assert set(pids(stack)) >= {"redis", "mlflow", "receiver", "worker", "beat"}
    assert requests.get(f"{stack.settings.public_url}/readyz", timeout=10).status_code == 200
    for command in (("events",), ("rejections",), ("promotions", "list"), ("models",)):
        done = stack.registrar(*command)
        assert done.returncode == 0, done.stderr
    checked = stack.registrar("check-config")
    assert (checked.returncode, "channels.team: nothing goes there" in checked.stderr) == (1, True), checked.stderr


def test_the_doctor_finds_every_part_well(stack: Installation):
    done = stack.registrar("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines() if line.startswith("ok ")} >= {
        *("config", "secrets", "ledger", "broker", "receiver", "work", "mlflow", "channels", "clocks")
    }


def test_a_second_up_on_the_folder_is_refused(stack: Installation) -> None:
    done = stack.registrar("up")
    assert (done.returncode, "is running on" in done.stderr) == (1, True)


def test_a_killed_worker_is_back_in_a_moment(stack: Installation) -> None:
    before = pids(stack)["worker"]
    os.kill(before, signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while (now := pids(stack).get("worker", before)) == before:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert psutil.pid_exists(now)
    while stack.log("worker").count("ready.") < 2:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_no_key_or_secret_is_in_a_log_or_on_a_command_line(stack: Installation) -> None:
    secrets = [stack.settings.secret_key, stack.ci_secret, stack.slack_secret]
    logs = "".join(path.read_text(errors="replace") for path in (stack.data / "logs").iterdir())
    lines = "".join(str(psutil.Process(pid).cmdline()) for name, pid in pids(stack).items() if psutil.pid_exists(pid))
    assert [secret for secret in secrets if secret in logs + lines] == []
