"""The data folder of an installation on one machine: its files, its lock, its secrets and the starter registrar.yml."""

import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psutil

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import ENVIRONMENT_FILE
from registrar.errors import UserError

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_LOG_BYTES = 10_000_000  # a longer log is rotated when its part starts
_HEADER = "# Written by `registrar up`: other commands on this folder find the parts by it. It holds a key.\n"


# Bytes for an empty MLflow, ledger and Redis with logs: with less, the first start would fail half-way.
LEAST_ROOM = 50_000_000


class BadFolder(UserError):
    """The data folder can't be made or written, or its disk is full."""


@dataclass(frozen=True)
class Folder:
    """path: absolute."""

    path: Path

    def prepare(self) -> None:
        """Create the folders for their owner only, ignored by git. Raises BadFolder."""
        try:
            self._make()
        except OSError as error:
            raise BadFolder(
                f"the data folder {self.path} can't be used: {error.strerror}; give another: registrar --data FOLDER"
            ) from None
        if (free := shutil.disk_usage(self.path).free) < LEAST_ROOM:
            raise BadFolder(
                f"the disk of the data folder {self.path} has {free // 1_000_000} MB left, and "
                f"{LEAST_ROOM // 1_000_000} MB are needed to start; make room, or give another: registrar --data FOLDER"
            )

    def _make(self) -> None:
        self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        for name in ("logs", "redis", "mlflow", "artifacts"):
            (self.path / name).mkdir(exist_ok=True)
        self.secrets.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")

    @property
    def mark(self) -> str:
        return str(self.path)

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def pids(self) -> Path:
        return self.path / "pids.json"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"

    @property
    def config(self) -> Path:
        return self.path / "registrar.yml"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.path / 'ledger.db'}"

    def log(self, name: str) -> Path:
        """Return the log of a part that is about to start; rotate a long one to NAME.log.1."""
        path = self.path / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """Return a secret, which is made on the first call and then kept."""
        path = self.secrets / name
        if not path.exists():
            _write_private(path, make() + "\n")
        return path.read_text(encoding="utf-8").strip()

    def write_environment(self, values: Mapping[str, str]) -> None:
        """Write NAME=VALUE lines for settings.from_folder and for shells."""
        lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
        _write_private(self.path / ENVIRONMENT_FILE, _HEADER + lines)


def _write_private(path: Path, text: str) -> None:
    """Replace a file as a whole: no reader sees half of it, or a secret with too open a mode."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


REAPING = 90.0  # seconds to wait for the reaper of a killed run, which gives the worker alone 45
_POLL = 0.1


class AlreadyRunning(UserError):
    """Another `registrar up` runs on the folder."""


class FolderLock:
    """Locks the folder from construction to release. The reaper shares `descriptor`, and so may hold the lock longer.

    Waits while the reaper of a killed run ends its services. Raises AlreadyRunning.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(path, say)
        except BaseException:
            os.close(self.descriptor)
            raise

    def _take(self, path: Path, say: Callable[[str], None]) -> None:
        until = time.monotonic() + REAPING
        announced = False
        while not _locked(self.descriptor):
            owner = path.read_text(encoding="ascii").strip()
            if time.monotonic() > until or (owner.isdigit() and psutil.pid_exists(int(owner))):
                raise AlreadyRunning(
                    f"Registrar is running on {path.parent} already (pid {owner or 'unknown'}); "
                    "stop that one first, or give another folder: registrar --data FOLDER up"
                )
            if not announced:
                say("the last run was killed; waiting for its parts to end")
                announced = True
            time.sleep(_POLL)
        os.truncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self.descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def starter_config() -> str:
    """Return the starter registrar.yml. Paths of secrets are relative to it, so that the folder may move."""
    return files("registrar.local").joinpath("starter.yml").read_text(encoding="utf-8")


def ensure_config(folder: Folder, say: Callable[[str], None]) -> Path:
    """Write DATA/registrar.yml if it does not exist, and return its path."""
    for source in ("ci", "operator", "mlflow"):
        folder.secret(f"{source}.whsec", new_webhook_secret)
    if not folder.config.exists():
        folder.config.write_text(starter_config(), encoding="utf-8")
        say(f"wrote a first policy, with comments: {folder.config}")
    return folder.config
