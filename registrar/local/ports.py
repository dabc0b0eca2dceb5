"""Ports on loopback: those of the last run where they are free, so that bookmarks and senders keep working."""

import json
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from registrar.errors import UserError
from registrar.local.probes import LOOPBACK


class PortTaken(UserError):
    """The port that was asked for belongs to another program."""


def choose(names: Iterable[str], path: Path, *, fixed: dict[str, int]) -> dict[str, int]:
    """A free port for each name, written to `path` for the next run. Raises PortTaken for a fixed one."""
    last = _read(path)
    chosen = {}
    with ExitStack() as held:  # all at once, so that none is given twice
        for name in sorted(names, key=lambda name: name not in fixed):
            chosen[name] = held.enter_context(_bound(name, fixed.get(name), last.get(name, 0))).getsockname()[1]
    path.write_text(json.dumps(last | chosen) + "\n", encoding="utf-8")
    return chosen


def _bound(name: str, fixed: int | None, last: int) -> socket.socket:
    try:
        return _bind(last if fixed is None else fixed)
    except OSError as error:
        if fixed is not None:
            raise PortTaken(f"port {fixed} for the {name} can't be used: {error.strerror}; give another one") from None
    return _bind(0)


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if isinstance(port, int) and 1024 <= port <= 65535}
