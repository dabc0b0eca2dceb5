"""What can be wrong where a command is called, and a call of every command that there is."""

import ctypes
import resource
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from registrar.cli import main
from registrar.config.key_generation import new_key
from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.local.data_folder import Folder, ensure_config
from registrar.local.installation import Installation

VALUES = {
    "event_id": "evt_" + "0" * 32,
    "task_id": "tsk_" + "0" * 32,
    "task_ids": "tsk_" + "0" * 32,
    "promotion": "prm_" + "0" * 32,
    "model": "taxi",
    "version": "1",
    "experiment": "taxi",
    "reason": "because",
    "name": "dashboard",
    "description": "good",
    "person": "you",
    "folder": "fetched",
    "words": "1 team=fares",
    "a": "1",
    "b": "2",
}
# What a command needs beside what it requires, to come as far as its work.
MORE = {
    "send": ("training_run.finished", "model=taxi", "run_id=0123abcd"),
    "dead retry": (VALUES["task_id"],),
    "adopt": ("taxi",),
    "reconcile": ("taxi",),
    "register": ("--run", "0123abcd"),
    "transition": ("1",),
    "promote": ("1",),
    "describe": ("1",),
    "archive": ("taxi", "1"),
    "fetch": ("taxi", "1"),
    "compact": ("--older-than", "30d"),
}


def commands() -> list[str]:
    """Every command that can be called, by its words: a new one is found by itself."""
    return [" ".join(path) for path, _ in _leaves(main, click.Context(main), ())]


def words(name: str) -> list[str]:
    """A call of a command with all that it requires."""
    [command] = [command for path, command in _leaves(main, click.Context(main), ()) if " ".join(path) == name]
    given = [piece for param in command.params if param.required for piece in _given(param)]
    return [*name.split(" "), *given, *MORE.get(name, ())]


def _given(param: click.Parameter) -> list[str]:
    choices = getattr(param.type, "choices", None)
    value = str(choices[0]) if choices else VALUES[str(param.name)]
    return value.split(" ") if isinstance(param, click.Argument) else [param.opts[0], value]


def _leaves(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group):
            yield (*path, name), command
            continue
        if command.invoke_without_command:
            yield (*path, name), command
        yield from _leaves(command, click.Context(command, parent=context, info_name=name), (*path, name))


def installed(data: Path, *, mlflow: str, broker: str, receiver: str) -> Path:
    """A folder as `registrar up` leaves it, with a ledger."""
    folder = Folder(data)
    folder.prepare()
    site = Installation(
        folder=folder,
        config=ensure_config(folder, lambda line: None),
        ports={"receiver": 1},
        secret_key=new_key(),
        mlflow=mlflow,
        broker=broker,
    )
    folder.write_environment({**site.environment, "REGISTRAR_LOCAL_URL": receiver})
    ledger = Ledger(folder.ledger_url)
    migrate(ledger)
    ledger.close()
    return data


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow: what a full disk says, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_rights(folder: Path) -> Iterator[None]:
    """Nothing in the folder may be written, by root neither: capabilities(7), CAP_DAC_OVERRIDE and its like."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    _override(allowed=False)
    try:
        yield
    finally:
        _override(allowed=True)
        for path in paths:
            path.chmod(0o700 if path.is_dir() else 0o600)


def _override(*, allowed: bool) -> None:
    """Of this thread, and of those that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x2008_0522, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, twice
    libc.capget(header, sets)
    everything = 0b1111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH and FOWNER
    sets[0] = sets[0] | (sets[1] & everything) if allowed else sets[0] & ~everything
    assert libc.capset(header, sets) == 0


def no_database(path: Path) -> None:
    path.write_text("hello\n" * 500, encoding="utf-8")


def another_programs(path: Path) -> None:
    """Such as MLflow's, which Alembic migrates, too."""
    _database(path, "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('3da73c924c2f')")


def without_alembic(path: Path) -> None:
    _database(path, "CREATE TABLE events (what)")


def newer(path: Path) -> None:
    _database(path, "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('9999')")


def _database(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
