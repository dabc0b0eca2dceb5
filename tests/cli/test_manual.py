"""docs/reference/cli.md is what the commands say; each shows how it is called, and prints JSON where it prints."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from registrar.cli import main
from tests.cli.manual import BOTH, manual

DOC = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
LONG = {"up", "demo"}  # they run until Ctrl-C, and show what they do
SAYS_A_FILE = {"audit export", "completion", "schema"}  # what they print has a form of its own
HERE = {
    "migrate": (),
    "compact": ("--older-than", "90d"),
    "address": ("mlflow",),
    "mlflow": ("connect",),
    "up": (),
    "demo": (),
    "check-config": (),
    "alive": ("--part", "worker"),
}


def commands(group: click.Group = main, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


ALL = dict(commands())
EACH = pytest.mark.parametrize("name", ALL)


def test_the_manual_is_what_the_commands_say():
    assert DOC.read_text(encoding="utf-8") == manual(), "python -m tests.cli.manual > docs/reference/cli.md"


@EACH
def test_every_command_shows_how_it_is_called(name: str):
    if isinstance(ALL[name], click.Group) or " " not in name:
        assert f"registrar {name.split(' ', maxsplit=1)[0]}" in (ALL[name].help or "")
    else:
        assert f"registrar {name}" in (ALL[name].help or "")


@EACH
def test_every_command_can_print_json(name: str):
    command = ALL[name]
    if isinstance(command, click.Group) or name in LONG | SAYS_A_FILE:
        return
    assert "--json" in {option for param in command.params for option in param.opts}


@pytest.mark.parametrize("name", HERE)
def test_what_needs_this_machine_says_so_where_another_is_meant(name: str):
    result = CliRunner().invoke(main, ["--url", "https://registrar.example.com", name, *HERE[name]])
    assert result.exit_code == 2
    assert "works on the installation of the machine it runs on, and not on https://registrar" in result.stderr


def test_the_manual_says_which_work_elsewhere():
    assert set(BOTH) | set(HERE) >= set(main.lazy) - {"completion", "schema", "secret", "token"}


@pytest.mark.parametrize(
    ("shell", "says"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")]
)
def test_each_shell_is_given_what_completes(shell: str, says: str):
    result = CliRunner().invoke(main, ["completion", shell])
    assert (result.exit_code, says in result.output, "_REGISTRAR_COMPLETE" in result.output) == (0, True, True)


def test_what_completes_is_asked_for_by_the_shell():
    words = {"_REGISTRAR_COMPLETE": "bash_complete", "COMP_WORDS": "registrar promo", "COMP_CWORD": "1"}
    result = CliRunner().invoke(main, [], env=words, prog_name="registrar")
    assert "plain,promotions" in result.output
