"""Liveness of processes on one machine, without broker and database.

Each process keeps a small file in a folder of its user, with the times of its last write and of its loop's last turn.
It locks the file while it runs, which distinguishes a dead process from a frozen one. Times are of the monotonic clock,
which all processes of a machine share.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from registrar.config.settings import process_environment

log = logging.getLogger(__name__)

# Seconds between two writes of a process.
EVERY = 1.0
# Seconds without a write, or without a turn of the loop. An attempt to reach a broker takes some of them.
SILENT_AFTER = 35.0
_NUMBERS = count(1)
_LENGTH = 200  # bytes of a file, which is overwritten in place, so that a full disk does no harm


class LoopActivity:
    """The time of the last turn of a process's main loop. The loop calls `turned`."""

    def __init__(self) -> None:
        self._turned = time.monotonic()
        self._waits = 0

    def turned(self, *_: object, **__: object) -> None:
        self._turned = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the block as a turn: the loop waits for something that ends by itself, such as a broker outage."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self.turned()

    @property
    def mark(self) -> float:
        """The last turn, by the monotonic clock."""
        return time.monotonic() if self._waits else self._turned

    @property
    def age(self) -> float:
        """Seconds since the last turn."""
        return time.monotonic() - self.mark


class LivenessFile:
    """The file of one process. ledger_url: distinguishes installations on one machine."""

    def __init__(self, part: str, ledger_url: str, loop: LoopActivity) -> None:
        self._part, self._loop = part, loop
        self._folder = folder(ledger_url)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="alive", daemon=True)

    def start(self) -> None:
        """Start writing the file, in a thread. An error is only logged."""
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(timeout=EVERY)

    def _keep(self) -> None:
        warned = False
        while True:
            try:
                self._write()
            except OSError as error:
                if not warned:
                    log.warning(
                        "`registrar alive` can't tell of this %s: %s", self._part, _write_error(self._folder, error)
                    )
                warned = True
            if self._done.wait(EVERY):
                return

    def _write(self) -> None:
        """Write until the process ends. Raises OSError, such as for a full disk, which may have room later."""
        with _locked_file(self._folder / f"{self._part}-{os.getpid()}-{next(_NUMBERS)}") as file:
            while True:
                os.pwrite(file, self._text(), 0)
                if self._done.wait(EVERY):
                    return

    def _text(self) -> bytes:
        at = time.monotonic()
        content = {"part": self._part, "pid": os.getpid(), "at": at, "turned": at - self._loop.age}
        return json.dumps(content).ljust(_LENGTH).encode()


@contextmanager
def _locked_file(path: Path) -> Iterator[int]:
    """Create and lock a file of this process, and delete it at the end of the block; its folder too, if empty."""
    while True:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            if path.parent.stat().st_uid != os.getuid():  # /tmp is writable by all: another user made it first
                raise PermissionError(errno.EPERM, "it lies in another user's folder")
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # a process that ended has just removed the folder
            continue
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
            break
        os.close(file)  # deleted by a reader before it was locked, as a dead process's
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
            path.parent.rmdir()
        os.close(file)


@dataclass(frozen=True)
class Liveness:
    """A process, from its file: seconds since it last wrote, and since its loop last went round."""

    part: str
    pid: int
    silent: float
    stuck: float

    @property
    def trouble(self) -> str | None:
        """Say what is wrong; None: the process lives and works."""
        if self.silent > SILENT_AFTER:
            return f"{self.part} {self.pid} has not been heard of for {self.silent:.0f} s: it is frozen"
        if self.stuck > SILENT_AFTER:
            return f"{self.part} {self.pid} lives, and its loop has stood still for {self.stuck:.0f} s"
        return None


def folder(ledger_url: str) -> Path:
    name = sha256(ledger_url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    # Not tempfile.gettempdir(): it is another folder where this one has no room at the moment, or an error.
    temporary = process_environment().get("TMPDIR") or "/tmp"  # noqa: S108 (_own makes sure whose folder it is)
    return Path(temporary) / f"registrar-alive-{os.getuid()}-{name}"


def processes(ledger_url: str, part: str) -> list[Liveness]:
    """Return the processes of a part on this machine, and delete the files of dead ones."""
    found = [_read_liveness(path) for path in sorted(folder(ledger_url).glob(f"{part}-*"))]
    return [life for life in found if life]


def why_silent(ledger_url: str) -> str | None:
    """Try to write a file; return why it fails, or None."""
    where = folder(ledger_url)
    try:
        with _locked_file(where / f"asked-{os.getpid()}") as file:
            os.pwrite(file, b" " * _LENGTH, 0)
    except OSError as error:
        return _write_error(where, error)
    return None


def _write_error(at: Path, error: OSError) -> str:
    return f"{at} can't be written: {error.strerror}"


def _read_liveness(path: Path) -> Liveness | None:
    """Read a file; None: its process has ended."""
    try:
        with path.open("rb") as file:
            if _is_free(file.fileno()):
                with contextlib.suppress(OSError):
                    path.unlink()
                return None
            content = json.loads(file.read() or b"null")
    except FileNotFoundError:
        return None
    except ValueError:  # not written yet
        content = None
    if not isinstance(content, dict):
        return None
    at = time.monotonic()
    return Liveness(content["part"], content["pid"], max(0.0, at - content["at"]), max(0.0, at - content["turned"]))


def _is_free(file: int) -> bool:
    """Return whether no process holds the file's lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
