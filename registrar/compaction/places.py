"""The places where archive files are kept: a folder, or an object store by fsspec."""

import fcntl
import importlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from registrar.errors import UserError


class PlaceUnavailable(UserError):
    """A place can't be used: it can't be read or written, refuses, or fsspec or its part for that store is missing."""


class Place(Protocol):
    """address: as the ledger notes it. A file is under its name only when it is complete, or fails its digest.

    All raise PlaceUnavailable, whatever the store's own errors are.
    """

    address: str

    def writing(self, name: str) -> AbstractContextManager[None]:
        """For the block, let no other run discard what is spooled under a name."""

    def spool(self, name: str) -> Path:
        """Return the path at which a file is to be written before it is published."""

    def publish(self, name: str) -> None:
        """Put the spooled file, which is complete and synced, under its name."""

    def open(self, name: str) -> BinaryIO:
        """Raises FileNotFoundError; PlaceUnavailable also while it is read."""

    def exists(self, name: str) -> bool:
        """Return False only where the place says that there is no such file."""

    def discard(self, name: str, *, published: bool) -> None:
        """Remove what a broken-off run spooled under a name, and what it published."""


def place(address: str) -> Place:
    """Return the place of an address: a path, or one of fsspec such as s3://bucket/prefix. Raises PlaceUnavailable."""
    address = address.removeprefix("file://")
    return _ObjectStore(address.rstrip("/")) if "://" in address else _Folder(address)


def lasting_place(address: str) -> Place:
    """Return the place of an address for the only copy of rows. Raises PlaceUnavailable, also for memory://."""
    if any(part.startswith("memory:") for part in address.split("::")):  # fsspec chains stores: simplecache::memory://
        raise PlaceUnavailable(f"{address} ends with this command: name a folder or an object store with --to")
    return place(address)


class _Folder:
    def __init__(self, address: str) -> None:
        self._path = Path(address).absolute()
        self.address = str(self._path)

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Lock the part: a copy of the ledger knows its name, too. The death of the process frees the lock."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._part(name), os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            why = f"{self.address} can't be made or written; name another with --to ({error.strerror})"
            raise PlaceUnavailable(why) from None
        try:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def spool(self, name: str) -> Path:
        return self._part(name)

    def publish(self, name: str) -> None:
        try:
            with _problems(self.address):
                self._part(name).replace(self._path / name)
                _sync(self._path)
        except FileNotFoundError:
            why = f"{self._part(name)} was removed before it was complete; no row of it was deleted"
            raise PlaceUnavailable(f"{why}: run it again") from None

    def open(self, name: str) -> BinaryIO:
        return _reader(lambda: (self._path / name).open("rb"), self.address)

    def exists(self, name: str) -> bool:
        try:
            with _problems(self.address):
                (self._path / name).stat()
        except FileNotFoundError:
            return False
        return True

    def discard(self, name: str, *, published: bool) -> None:
        with _problems(self.address), suppress(FileNotFoundError):
            descriptor = os.open(self._part(name), os.O_WRONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while another run writes it
                self._part(name).unlink()
            finally:
                os.close(descriptor)
        if published:
            with _problems(self.address):
                (self._path / name).unlink(missing_ok=True)

    def _part(self, name: str) -> Path:
        return self._path / f"{name}.part"


def _sync(folder: Path) -> None:
    """Sync the folder, so that the file's name is on disk, too: https://lwn.net/Articles/457667/"""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _ObjectStore:
    """Object stores have no rename: an upload that broke off may be seen, so the writer reads each file back."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._spooled = tempfile.TemporaryDirectory(prefix="registrar-archive-")
        with _problems(address):
            self._files, self._root = importlib.import_module("fsspec.core").url_to_fs(address)

    def writing(self, _name: str) -> AbstractContextManager[None]:
        return nullcontext()  # it is spooled in a folder of this process

    def spool(self, name: str) -> Path:
        return Path(self._spooled.name, name)

    def publish(self, name: str) -> None:
        with _problems(self.address):
            self._files.put_file(str(self.spool(name)), self._key(name))
        self.spool(name).unlink()

    def open(self, name: str) -> BinaryIO:
        return _reader(lambda: self._files.open(self._key(name), "rb"), self.address)

    def exists(self, name: str) -> bool:
        try:
            with _problems(self.address):
                self._files.invalidate_cache()
                self._files.info(self._key(name))  # exists() takes every error for a file that is gone
        except FileNotFoundError:
            return False
        return True

    def discard(self, name: str, *, published: bool) -> None:
        if published and self.exists(name):
            with _problems(self.address):
                self._files.rm_file(self._key(name))

    def _key(self, name: str) -> Any:
        return f"{self._root}/{name}"


class _Raw(io.RawIOBase):
    """A file whose errors, while it is read, are about its place."""

    def __init__(self, file: BinaryIO, address: str) -> None:
        super().__init__()
        self._file, self._address = file, address

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with _problems(self._address), memoryview(buffer) as room:
            piece = self._file.read(len(room))
            room[: len(piece)] = piece
            return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _reader(open_: Callable[[], BinaryIO], address: str) -> BinaryIO:
    with _problems(address):
        return cast(BinaryIO, io.BufferedReader(_Raw(open_(), address), 1 << 20))


@contextmanager
def _problems(address: str) -> Iterator[None]:
    """Translate the errors of a place: a store's own classes have no common base.

    FileNotFoundError passes: it is about a file, and its reader names that.
    """
    try:
        yield
    except (FileNotFoundError, UserError):
        raise
    except ImportError as error:
        what = "pip install 'mlflow-registrar[archive]', and what fsspec needs for that store, such as s3fs"
        raise PlaceUnavailable(f"{address} can't be reached without fsspec: {what} ({error})") from None
    except Exception as error:  # noqa: BLE001 (any class: botocore's, gcsfs's)
        raise PlaceUnavailable(f"{address} can't be used: {str(error) or type(error).__name__}") from None
