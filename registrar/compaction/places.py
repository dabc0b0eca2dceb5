"""The places where archive files are kept: a folder, or an object store by fsspec."""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from registrar.errors import UserError


class PlaceUnavailable(UserError):
    """An object store can't be used: fsspec or its part for that store is missing, or the store refuses."""


class Place(Protocol):
    """address: as the ledger notes it. A file is under its name only when it is complete, or fails its digest."""

    address: str

    def spool(self, name: str) -> Path:
        """Return the path at which a file is to be written before it is published."""

    def publish(self, name: str) -> None:
        """Put the spooled file, which is complete and synced, under its name. Raises OSError, PlaceUnavailable."""

    def open(self, name: str) -> BinaryIO:
        """Raises FileNotFoundError, PlaceUnavailable."""

    def exists(self, name: str) -> bool: ...
    def discard(self, name: str, *, published: bool) -> None:
        """Remove what a broken-off run spooled under a name, and what it published."""


def place(address: str) -> Place:
    """Return the place of an address: a path, or one of fsspec such as s3://bucket/prefix. Raises PlaceUnavailable."""
    address = address.removeprefix("file://")
    return _ObjectStore(address.rstrip("/")) if "://" in address else _Folder(address)


class _Folder:
    def __init__(self, address: str) -> None:
        self._path = Path(address).absolute()
        self.address = str(self._path)

    def spool(self, name: str) -> Path:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._part(name)

    def publish(self, name: str) -> None:
        self._part(name).replace(self._path / name)
        _sync(self._path)

    def open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")

    def exists(self, name: str) -> bool:
        return (self._path / name).exists()

    def discard(self, name: str, *, published: bool) -> None:
        self._part(name).unlink(missing_ok=True)
        if published:
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

    def spool(self, name: str) -> Path:
        return Path(self._spooled.name, name)

    def publish(self, name: str) -> None:
        with _problems(self.address):
            self._files.put_file(str(self.spool(name)), self._key(name))
        self.spool(name).unlink()

    def open(self, name: str) -> BinaryIO:
        with _problems(self.address):
            return cast(BinaryIO, self._files.open(self._key(name), "rb"))

    def exists(self, name: str) -> bool:
        with _problems(self.address):
            self._files.invalidate_cache()
            return bool(self._files.exists(self._key(name)))

    def discard(self, name: str, *, published: bool) -> None:
        with _problems(self.address):
            if published and self.exists(name):
                self._files.rm_file(self._key(name))

    def _key(self, name: str) -> Any:
        return f"{self._root}/{name}"


@contextmanager
def _problems(address: str) -> Iterator[None]:
    """Say which store failed. FileNotFoundError passes: it is about a file, and its reader names that."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ImportError as error:
        what = "pip install 'mlflow-registrar[archive]', and what fsspec needs for that store, such as s3fs"
        raise PlaceUnavailable(f"{address} can't be reached without fsspec: {what} ({error})") from None
    except (ValueError, OSError) as error:
        raise PlaceUnavailable(f"{address} can't be used: {error}") from None
