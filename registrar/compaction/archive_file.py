"""Read and write archive files: gzip of JSON lines, the first of them a header."""

import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from registrar.compaction.places import Place, place
from registrar.errors import UserError
from registrar.ledger import Connection
from registrar.ledger.archive_rows import describe_event, event_id, parse_line
from registrar.ledger.queries.find import ArchiveLocation

FORMAT = "registrar-archive-1"
_LEVEL = 6


class ArchiveDamaged(UserError):
    """A file is not as it was written; the message says which and how. No row was deleted because of it."""

    exit_code = 2


class ArchiveMissing(UserError):
    """A file is neither where it was written nor in the folder that --from names."""


@dataclass(frozen=True)
class Header:
    """kind: events, tasks, journal or rejections. month: 2026-08, of the journal that of the first entry.

    since, until: the first and last time in it, ISO 8601. revision: the ledger's schema, whose columns the rows have.
    count: of lines after this one. tasks: of all events.
    """

    kind: str
    month: str
    revision: str
    since: str
    until: str
    count: int
    tasks: int = 0
    format: str = FORMAT


@dataclass(frozen=True)
class ArchiveFile:
    """A file at a place, which may not be there."""

    place: Place
    name: str

    def __str__(self) -> str:
        return f"{self.place.address}/{self.name}"

    def is_there(self) -> bool:
        return self.place.exists(self.name)

    def missing(self) -> ArchiveMissing:
        return ArchiveMissing(f"{self} is not there; say --from FOLDER if it was moved")


def spool(file: ArchiveFile, header: Header, lines: Iterable[dict[str, Any]]) -> str:
    """Write a file beside its place and sync it to disk; ArchiveFile.place publishes it. Returns its SHA-256.

    Within its place's `writing`. Raises OSError; ArchiveDamaged where the count differs. Nothing is left behind then.
    """
    part = file.place.spool(file.name)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
                count = _write_lines(packed, header, lines)
            raw.flush()
            os.fsync(raw.fileno())
        if count != header.count:
            raise ArchiveDamaged(f"{count} rows were there to be archived, {header.count} were chosen; try again")
        return _digest_of(part)
    except (OSError, ArchiveDamaged):  # such as a full disk
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _digest_of(path: Path) -> str:
    with path.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def _write_lines(packed: gzip.GzipFile, header: Header, lines: Iterable[dict[str, Any]]) -> int:
    count = 0
    with io.TextIOWrapper(packed, encoding="utf-8", write_through=True) as text:
        text.write(json.dumps(asdict(header)) + "\n")
        for line in lines:
            text.write(json.dumps(line) + "\n")
            count += 1
    return count


def read(file: ArchiveFile) -> tuple[Header, Iterator[str]]:
    """Return the header, and the lines after it. Raises ArchiveMissing; ArchiveDamaged and PlaceUnavailable, also
    while lines are read.
    """
    lines = _lines(file)
    try:
        header = Header(**json.loads(next(lines, "")))
    except (ValueError, TypeError):
        raise ArchiveDamaged(f"{file} is no archive: it does not begin with a header") from None
    if header.format != FORMAT:
        raise ArchiveDamaged(f"{file} is of the format {header.format}, this version reads {FORMAT}")
    return header, lines


def _lines(file: ArchiveFile) -> Iterator[str]:
    try:
        with file.place.open(file.name) as raw, gzip.open(raw, "rt", encoding="utf-8") as text:
            yield from text
    except FileNotFoundError:
        raise file.missing() from None
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise ArchiveDamaged(f"{file} can't be read: {error}") from None


def digest(file: ArchiveFile) -> str:
    """Return the SHA-256 of a file, in hexadecimal, as read back from its place.

    Raises ArchiveMissing, PlaceUnavailable.
    """
    found = hashlib.sha256()
    try:
        with file.place.open(file.name) as raw:
            while piece := raw.read(1 << 20):
                found.update(piece)
    except FileNotFoundError:
        raise file.missing() from None
    return found.hexdigest()


def located(location: ArchiveLocation, *, folder: str | None = None) -> ArchiveFile:
    """Return a file. folder: where it may be now; else it is where it was written. Raises PlaceUnavailable."""
    moved = folder is not None and (there := ArchiveFile(place(folder), location.name)).is_there()
    return there if moved else ArchiveFile(place(location.folder), location.name)


def checked(location: ArchiveLocation, *, folder: str | None = None) -> ArchiveFile:
    """Return a file that is as it was written. folder: as above.

    Raises ArchiveMissing, ArchiveDamaged, PlaceUnavailable.
    """
    file = located(location, folder=folder)
    if digest(file) != location.sha256:
        raise ArchiveDamaged(f"{file} is not as it was written: its SHA-256 is not {location.sha256}")
    return file


def read_event(
    connection: Connection, wanted_id: str, location: ArchiveLocation, *, folder: str | None = None
) -> dict[str, Any]:
    """Return an archived event as event_status.event would. folder: where the file is now; None: where it was written.

    Raises ArchiveMissing; ArchiveDamaged where the file is not as it was written.
    """
    file = checked(location, folder=folder)
    for text in read(file)[1]:
        if wanted_id in text and event_id(line := parse_line(text)) == wanted_id:  # most lines need not be parsed
            return describe_event(connection, line)
    raise ArchiveDamaged(f"{file} does not have {wanted_id}, though the ledger says so")
