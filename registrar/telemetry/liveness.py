"""Whether a part lives, by its own word to the machine that it runs on: no broker and no database is asked.

Each process keeps a small file in a folder of its user's: when it last wrote there, and when its loop last went round.
It holds a lock on the file for as long as it lives, so that a file which a dead process left is told from one whose
process is frozen. Times are of the monotonic clock, which all processes of a machine share and nobody sets.
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

# Seconds between two words of a process.
EVERY = 1.0
# Seconds without a word, or without a turn of the loop: a try to reach a broker takes some.
SILENT_AFTER = 35.0
_NUMBERS = count(1)
_LENGTH = 200  # bytes of a file: it is written in place, so a full disk changes nothing


class LoopActivity:
    """When the loop of a process last went round; told by whoever is in it."""

    def __init__(self) -> None:
        self._turned = time.monotonic()
        self._waits = 0

    def turned(self, *_: object, **__: object) -> None:
        self._turned = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The loop waits for what ends by itself, such as a broker that is down: that is no standstill."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self.turned()

    @property
    def mark(self) -> float:
        """Its last turn, by the monotonic clock."""
        return time.monotonic() if self._waits else self._turned

    @property
    def age(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.mark


class LivenessFile:
    """The file of one process. ledger_url: tells installations on one machine apart."""

    def __init__(self, part: str, ledger_url: str, loop: LoopActivity) -> None:
        self._part, self._loop = part, loop
        self._folder = folder(ledger_url)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="alive", daemon=True)

    def start(self) -> None:
        """Returns at once. Where no file can be made, the log says so and nothing else is different."""
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(timeout=EVERY)

    def _keep(self) -> None:
        told = False
        while True:
            try:
                self._write()
            except OSError as error:
                if not told:
                    log.warning(
                        "`registrar alive` can't tell of this %s: %s", self._part, _describe_error(self._folder, error)
                    )
                told = True
            if self._done.wait(EVERY):
                return

    def _write(self) -> None:
        """Until this process ends. Raises OSError, such as of a folder without room: it may have some later."""
        with _locked_file(self._folder / f"{self._part}-{os.getpid()}-{next(_NUMBERS)}") as file:
            while True:
                os.pwrite(file, self._text(), 0)
                if self._done.wait(EVERY):
                    return

    def _text(self) -> bytes:
        at = time.monotonic()
        said = {"part": self._part, "pid": os.getpid(), "at": at, "turned": at - self._loop.age}
        return json.dumps(said).ljust(_LENGTH).encode()


@contextmanager
def _locked_file(path: Path) -> Iterator[int]:
    """A file of this process's, locked; gone with the block."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():  # in a folder that all may write to, somebody made it before us
        raise PermissionError(errno.EPERM, "it lies in another user's folder")
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
            break
        os.close(file)  # whoever asked before it was locked took it for a dead process's
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(file)


@dataclass(frozen=True)
class Liveness:
    """A process, as its file has it. Seconds since it last wrote, and since its loop last went round."""

    part: str
    pid: int
    silent: float
    stuck: float

    @property
    def trouble(self) -> str | None:
        """For people; None: it lives and works."""
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
    """The processes of a part that run on this machine. What dead ones left is taken away."""
    found = [_read_liveness(path) for path in sorted(folder(ledger_url).glob(f"{part}-*"))]
    return [life for life in found if life]


def why_silent(ledger_url: str) -> str | None:
    """Why no process here can say that it lives, found out by trying; None: it could."""
    at = folder(ledger_url)
    try:
        with _locked_file(at / f"asked-{os.getpid()}") as file:
            os.pwrite(file, b" " * _LENGTH, 0)
    except OSError as error:
        return _describe_error(at, error)
    return None


def _describe_error(at: Path, error: OSError) -> str:
    return f"{at} can't be written: {error.strerror}"


def _read_liveness(path: Path) -> Liveness | None:
    """None: its process is gone."""
    try:
        with path.open("rb") as file:
            if _is_free(file.fileno()):
                with contextlib.suppress(OSError):
                    path.unlink()
                return None
            said = json.loads(file.read() or b"null")
    except FileNotFoundError:
        return None
    except ValueError:  # begun, and nothing said yet
        said = None
    if not isinstance(said, dict):
        return None
    at = time.monotonic()
    return Liveness(said["part"], said["pid"], max(0.0, at - said["at"]), max(0.0, at - said["turned"]))


def _is_free(file: int) -> bool:
    """Whether no process holds its lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
