"""`registrar up` as a user meets it; what it does with processes is tests/embedded's."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from registrar.cli import preflight, progress, up
from registrar.cli.progress import Screen
from registrar.config.key_generation import new_webhook_secret
from registrar.errors import UserError
from registrar.local.data_folder import Folder, FolderLock


def test_a_policy_that_cannot_be_used_stops_it_before_anything_starts(run, data, tmp_path):
    (tmp_path / "bad.yml").write_text("version: 1\nsauces: {}\n")
    result = run("up", "--config", "bad.yml")
    assert (result.exit_code, result.stderr) == (
        2,
        "registrar: bad.yml:2: sauces: unknown key; did you mean sources?\n",
    )
    assert not (data / "pids.json").exists()


POLICY = """version: 1
sources:
  ci: {kind: standard, secrets: ["env:CI_SECRET"], may: [{events: ["training_run.*"], models: ["*"]}]}
channels: {log: {kind: log}}
notify: [{outcomes: [promotion.aproved], to: [log]}]
"""


def test_a_secret_that_is_not_there_stops_it_before_anything_starts(run, data, tmp_path, monkeypatch):
    (tmp_path / "registrar.yml").write_text(POLICY)
    monkeypatch.setenv("CI_SECERT", new_webhook_secret())
    result = run("up")
    assert (result.exit_code, result.stderr) == (
        2,
        "registrar: registrar.yml:3: sources.ci.secrets.0: env:CI_SECRET is empty or not set; did you mean "
        "env:CI_SECERT?\n",
    )
    assert not (data / "pids.json").exists()
    assert not (data / "logs" / "redis.log").exists()


def test_a_weak_secret_stops_it_before_anything_starts(run, data, tmp_path, monkeypatch):
    (tmp_path / "registrar.yml").write_text(POLICY)
    monkeypatch.setenv("CI_SECRET", "hunter2")
    result = run("up")
    assert result.exit_code == 2
    assert "sources.ci.secrets: env:CI_SECRET: a Standard Webhooks secret starts with whsec_" in result.stderr
    assert not (data / "pids.json").exists()


class Started(UserError):
    """In place of a stack."""


def test_it_says_which_file_it_found_and_what_that_says_in_vain(run, tmp_path, monkeypatch):
    def stack(*args, **kwargs):
        raise Started("the stack would start")

    monkeypatch.setattr(up, "Stack", stack)
    (tmp_path / "registrar.yml").write_text(POLICY)
    monkeypatch.setenv("CI_SECRET", new_webhook_secret())
    result = run("up")
    assert result.stderr == "registrar: the stack would start\n"
    assert result.stdout.splitlines() == [
        f"{tmp_path / 'registrar.yml'} is used, for it is in this folder; --config FILE names another",
        "warning: registrar.yml:5: notify.0.outcomes.0: 'promotion.aproved' matches no outcome, so nobody is notified; "
        "did you mean promotion.approved?",
    ]
    assert "is used" not in run("up", "--config", "registrar.yml").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mlflow", ""), "--mlflow is empty: is the variable that it takes its value from set?"),
        (("--mlflow", "mlflow.example.com:5000"), "--mlflow mlflow.example.com:5000 has no scheme"),
        (("--ledger", ""), "--ledger is empty"),
        (("--ledger", "ledger.db"), "no database's address; one is such as sqlite:///"),
        (
            ("--ledger", "postgresql+psycopg://u:p@127.0.0.1:9/x"),
            "postgresql+psycopg://127.0.0.1:9/x does not",
        ),
        (("--ledger", "postgresql+psycopg://u:p/w@h/x"), "--ledger: what is special in its user and password"),
        (("--broker", ""), "--broker is empty"),
    ],
)
def test_an_address_that_is_none_stops_it_before_anything_starts(run, data, options, said):
    result = run("up", *options)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "u:p" not in result.output
    assert not (data / "pids.json").exists()


@pytest.mark.parametrize(
    ("lacks", "options", "said"),
    [
        ({"granian", "mlflow"}, (), "needs granian and mlflow, which is not installed: pip install"),
        ({"psycopg"}, ("--ledger", "postgresql+psycopg://h/x"), "pip install 'mlflow-registrar[postgres]'"),
        (
            {"psutil", "psycopg"},
            ("--ledger", "postgresql+psycopg://h/x"),
            "install 'mlflow-registrar[embedded,postgres]'",
        ),
    ],
)
def test_a_part_that_is_not_installed_is_said_before_anything_starts(run, monkeypatch, lacks, options, said):
    monkeypatch.setattr(preflight, "find_spec", lambda name: None if name in lacks else object())
    monkeypatch.setattr(up, "Stack", pytest.fail)
    result = run("up", *options)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize("name", ["REGISTRAR_PUBLIC_URL", "REGISTRAR_MLFLOW_URL"])
def test_a_name_to_the_world_without_its_scheme_is_said_before_anything_starts(run, monkeypatch, name):
    monkeypatch.setenv(name, "registrar.example.com")
    monkeypatch.setattr(up, "Stack", pytest.fail)
    result = run("up")
    assert (result.exit_code, result.stderr) == (
        2,
        f"registrar: {name}=registrar.example.com is no address such as https://registrar.example.com\n",
    )


def test_a_server_of_its_own_needs_the_whole_of_mlflow(run, monkeypatch):
    monkeypatch.setattr(preflight, "_is_whole_mlflow", lambda: False)
    assert "needs mlflow, which is not installed" in run("up").stderr


def test_what_is_set_to_nothing_is_not_set(run, data, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("REGISTRAR_PUBLIC_URL", "")
    assert run("address", "mlflow").stdout == "http://127.0.0.1:2\n"
    assert run("address", "receiver").stdout == "http://127.0.0.1:3\n"


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
    monkeypatch.setattr(progress, "_REASSURANCE", 0.0)
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
from registrar.cli.progress import Screen
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
