"""The frame: commands are found without being imported, and mistakes are sentences."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from cryptography.fernet import Fernet

from registrar import cli
from registrar.cli import errors, lazy_group, main
from registrar.config.key_generation import new_webhook_secret
from registrar.errors import UserError
from registrar.http.signing import standard_webhooks
from tests.cli.conftest import NOON

HEAVY = ("mlflow", "alembic", "sqlalchemy", "pydantic", "celery", "flask", "rich")


def fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_help_loads_nothing_but_click():
    code = f"""
import sys
from click.testing import CliRunner
from registrar.cli import main
shown = CliRunner().invoke(main, ["--help"])
assert shown.exit_code == 0, shown.output
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert fresh(code) == "[]\n"


# What each must not load for its help. Elsewhere a command asks by HTTP: neither the ledger's SQLAlchemy nor pydantic.
_LIGHT = (
    "mlflow",
    "alembic",
    "sqlalchemy",
    "pydantic",
    "celery",
    "flask",
    "rich.console",
    "yaml",
)
LIGHT = (
    "register",
    "promote",
    "approve",
    "reject",
    "promotions",
    "plan",
    "transition",
    "demote",
    "rollback",
    "describe",
)
LIGHT += ("tag", "archive", "fetch", "prune", "reconcile", "dead", "queue", "overview", "events", "models", "history")
LIGHT += ("compare",)
LIGHT += ("experiments", "runs", "versions", "completion")


def test_what_asks_a_receiver_loads_no_database_and_no_mlflow():
    code = f"""
import sys
from click.testing import CliRunner
from registrar.cli import main
for name in {LIGHT!r}:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    print(name, [heavy for heavy in {_LIGHT!r} if heavy in sys.modules])
"""
    assert fresh(code).splitlines() == [f"{name} []" for name in LIGHT]


def test_a_question_elsewhere_loads_no_database():
    code = f"""
import sys
from click.testing import CliRunner
from registrar.cli import main
silent = CliRunner().invoke(main, ["--url", "http://127.0.0.1:9", "promotions", "list"])
assert silent.exit_code == 3, silent.output
print([heavy for heavy in {_LIGHT!r} if heavy in sys.modules])
"""
    assert fresh(code) == "[]\n"


def completed(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What a TAB at the end of the line offers."""
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    return BashComplete(main, {}, "registrar", "_REGISTRAR_COMPLETE").complete().splitlines()


def test_a_tab_imports_no_command_but_the_one_that_is_completed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lazy_group, "load", lambda path: pytest.fail(f"imported {path}"))
    assert completed(monkeypatch, "registrar ") == [f"plain,{name}" for name in sorted(main.lazy)]
    assert completed(monkeypatch, "registrar comp") == ["plain,compact", "plain,compare", "plain,completion"]


def test_a_tab_says_nothing_of_missing_packages_and_of_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert "plain,--older-than" in completed(monkeypatch, "registrar compact --")
    assert completed(monkeypatch, "registrar promotion ") != []  # the nearest name is promotions

    def missing(path: str) -> None:
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")

    monkeypatch.setattr(lazy_group, "load", missing)
    completed(monkeypatch, "registrar plan ")
    assert capsys.readouterr() == ("", "")


def test_help_lists_every_command_with_its_first_line():
    output = CliRunner().invoke(main, ["--help"]).output
    for name in ("up", "migrate", "check-config", "schema", "secret", "history", "events", "rejections"):
        assert f"\n  {name} " in output
    assert "Bring the ledger's schema up to date." in output


@pytest.mark.parametrize("name", main.lazy)
def test_the_help_of_each_command_is_the_first_line_of_its_own(name: str):
    command = main.get_command(click.Context(main), name)
    assert command
    assert (command.name, (command.help or "").partition("\n")[0]) == (name, main.lazy[name].help)


def test_every_command_of_the_folder_can_be_called():
    modules = [importlib.import_module(f"registrar.cli.{found.name}") for found in pkgutil.iter_modules(cli.__path__)]
    commands = {value for module in modules for value in vars(module).values() if isinstance(value, click.Command)}
    inner = {each for command in commands if isinstance(command, click.Group) for each in command.commands.values()}
    called = {main.get_command(click.Context(main), name) for name in main.lazy}
    assert commands - inner - {main} <= called
    assert called <= commands


def test_every_command_has_a_line_of_help():
    assert [name for name, command in main.lazy.items() if not command.help] == []


def plug_in(monkeypatch, tmp_path, source: str) -> lazy_group.LazyGroup:
    """A command line of one command, which is in a file of its own."""
    (tmp_path / "plug_in.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "plug_in", raising=False)
    hello = lazy_group.LazyCommand("plug_in:hello", "Say hello.")
    return lazy_group.LazyGroup(sections={"More": {"say-hello": hello}})


SOURCE = '''
import click
{more}

@click.command("say-hello")
def hello():
    """Say hello.

    And more."""
    {does}
'''


def test_a_command_is_imported_when_it_is_used(monkeypatch, tmp_path):
    group = plug_in(monkeypatch, tmp_path, SOURCE.format(more="", does="click.echo('hello')"))
    assert "say-hello" in group.list_commands(click.Context(group))
    assert CliRunner().invoke(group, ["say-hello"]).output == "hello\n"


@pytest.mark.parametrize(("more", "does"), [("import mlflow", "pass"), ("", "import mlflow")])
def test_a_command_whose_part_is_not_installed_says_what_to_install(monkeypatch, tmp_path, more, does):
    group = plug_in(monkeypatch, tmp_path, SOURCE.format(more=more, does=does))
    monkeypatch.setitem(sys.modules, "mlflow", None)
    result = CliRunner().invoke(group, ["say-hello"])
    assert result.exit_code == 1
    assert result.stderr == (
        "registrar: `registrar say-hello` needs mlflow, which is not installed: "
        "pip install 'mlflow-registrar[worker]'\n"
    )


@pytest.mark.parametrize(
    ("more", "does", "said"),
    [
        (
            "import nonexistent_module",
            "pass",
            "ModuleNotFoundError: No module named 'nonexistent_module' (plug_in.py:3)",
        ),
        ("", "import nonexistent_module", "ModuleNotFoundError: No module named 'nonexistent_module' (plug_in.py:10)"),
        ("", "raise KeyError('so\\nit is')", "KeyError: 'so\\nit is' (plug_in.py:10)"),
    ],
)
def test_a_fault_of_ours_is_a_sentence_and_says_how_its_traceback_is_shown(monkeypatch, tmp_path, more, does, said):
    group = plug_in(monkeypatch, tmp_path, SOURCE.format(more=more, does=does))
    result = CliRunner().invoke(group, ["say-hello"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"registrar: {said}",
        "registrar: This is a fault of Registrar: please report it, with what `python -X dev -m registrar` says in "
        "place of `registrar`",
    ]


def test_a_fault_of_ours_shows_its_traceback_in_pythons_development_mode():
    code = "from registrar.cli.errors import as_user_error; as_user_error(KeyError('so it is'), '')"
    shown = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "KeyError: 'so it is'" in shown.stderr
    assert "Traceback" in shown.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("OSError(28, 'No space left on device', '/srv/x')", "/srv/x has no room left: No space left on device"),
        ("OSError(28, 'No space left on device')", "what is written to has no room left: No space left on device"),
        ("OSError(30, 'Read-only file system', '/srv')", "/srv can't be used by this user: Read-only file system"),
        ("OSError(20, 'Not a directory', '/srv')", "/srv: Not a directory"),
        ("OSError('odd')", "OSError: odd"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(monkeypatch, tmp_path, error, said):
    group = plug_in(monkeypatch, tmp_path, SOURCE.format(more="", does=f"raise {error}"))
    result = CliRunner().invoke(group, ["say-hello"])
    assert (result.exit_code, result.stderr) == (1, f"registrar: {said}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_output_that_is_full_is_a_sentence():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "registrar", "schema"]
        shown = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (shown.returncode, shown.stderr) == (
        1,
        "registrar: what is written to has no room left: No space left on device\n",
    )


def test_help_marks_the_commands_of_a_part_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(lazy_group, "find_spec", lambda name: None)
    output = CliRunner().invoke(main, ["--help"]).output
    assert "  up        (not available: pip install 'mlflow-registrar[embedded]')" in output
    assert "\n  doctor    Check every part" in output


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("flask", "receiver"),
        ("granian", "receiver"),
        ("mlflow", "worker"),
        ("psutil", "embedded"),
        ("sklearn", "embedded"),
        ("psycopg", "postgres"),
        ("opentelemetry", "tracing"),
        ("sqlalchemy", None),
        ("nonexistent_module", None),
    ],
)
def test_the_extra_of_a_package_is_the_smallest_that_brings_it(package: str, extra: str | None):
    assert errors.extra_of(package) == extra


def test_an_unknown_command_is_a_usage_error(run):
    result = run("nonsense")
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.stderr


def test_the_nearest_command_is_named(run):
    assert "No such command 'overveiw'. Did you mean 'overview'?" in run("overveiw").stderr


def test_a_folder_that_up_never_ran_in_is_a_sentence_and_exit_2(tmp_path):
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "none"), "history", "taxi"])
    assert result.exit_code == 2
    assert result.stderr.startswith("registrar: there is no installation here: no ")
    assert "Start one with `registrar up`" in result.stderr


def test_a_problem_is_its_message_and_its_exit_code():
    class Own(UserError):
        exit_code = 7

    told = errors.ReportedError(Own("so it is"))
    assert (told.exit_code, told.format_message()) == (7, "so it is")


def test_python_m_registrar_is_the_same_command_line():
    command = [sys.executable, "-m", "registrar", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown.startswith("registrar, version ")


def test_a_new_secret_is_a_key_or_signs_by_standard_webhooks(run):
    Fernet(run("secret").stdout.strip())
    for option in ("--webhook", "--standard"):
        secret = run("secret", option).stdout.strip()
        assert standard_webhooks(secret, id="msg_1", timestamp=NOON, body=b"{}")
    assert new_webhook_secret() != new_webhook_secret()


def test_json_is_printed_as_it_is_spelled(run):
    assert json.loads(run("schema").stdout)["title"] == "registrar.yml"
