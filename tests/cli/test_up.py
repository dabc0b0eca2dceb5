"""`registrar up` as a user meets it; what it does with processes is tests/embedded's."""

import io
import subprocess
import sys

from rich.console import Console

from registrar.cli import screen
from registrar.cli.screen import Screen
from registrar.embedded.folder import Folder
from registrar.embedded.lock import FolderLock


def test_a_policy_that_cannot_be_used_stops_it_before_anything_starts(run, data, tmp_path):
    (tmp_path / "bad.yml").write_text("version: 1\nsauces: {}\n")
    result = run("up", "--config", "bad.yml")
    assert (result.exit_code, result.stderr) == (1, "registrar: bad.yml:2: sauces: unknown key\n")
    assert not (data / "pids.json").exists()


def test_a_broker_that_is_none_is_told_what_one_looks_like_before_anything_starts(run, data):
    refused = run("up", "--broker", "reddis://h/0")
    assert refused.exit_code == 2
    assert "amqp://USER:PASSWORD@HOST" in refused.output


def test_a_second_one_on_the_folder_is_one_line_and_exit_1(data):
    lock = FolderLock(Folder(data).lock, print)
    command = [sys.executable, "-m", "registrar", "--data", str(data), "up"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lock.release()
    assert result.returncode == 1
    assert f"registrar: Registrar is running on {data} already" in result.stderr


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr(screen, "_REASSURANCE", 0.0)
    plain = io.StringIO()
    with Screen(Console(file=plain)) as shown:
        shown.say("redis [bold]ready")
        shown.progress("starting mlflow (3 s)")
    assert plain.getvalue() == "redis [bold]ready\nstarting mlflow (3 s)\n"


def test_on_a_terminal_progress_is_under_the_lines_that_stay():
    terminal = io.StringIO()
    with Screen(Console(file=terminal, force_terminal=True, width=200)) as shown:
        shown.progress("starting mlflow (3 s)")
        shown.say("redis ready")
    assert "redis ready" in terminal.getvalue()


def test_a_reader_that_goes_away_does_not_keep_it_from_stopping_the_parts():
    code = """
import sys
from registrar.cli.screen import Screen
sys.stdin.read()
with Screen() as shown:
    for _ in range(3):
        shown.say("stopping")
print("all stopped", file=sys.stderr)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read().startswith("all stopped\n")
