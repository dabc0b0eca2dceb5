"""Read and write archive files: gzip of JSON lines, the first of them a header."""

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from registrar.errors import UserError
from registrar.ledger import Connection
from registrar.ledger.archive_rows import describe_event, event_id, parse_line
from registrar.ledger.queries.find import ArchiveLocation

FORMAT = "registrar-archive-1"
_LEVEL = 6


class ArchiveDamaged(UserError):
    """A file is not as it was written; the message says which and how. No row was deleted because of it."""


class ArchiveMissing(UserError):
    """A file is neither where it was written nor in the folder that --from names."""


@dataclass(frozen=True)
class Header:
    """kind: events or rejections. month: 2026-08. since, until: the first and last time in it, ISO 8601.

    revision: the ledger's schema, whose columns the rows have. count: of lines after this one. tasks: of all events.
    """

    kind: str
    month: str
    revision: str
    since: str
    until: str
    count: int
    tasks: int = 0
    format: str = FORMAT


def write(path: Path, header: Header, lines: Iterable[dict[str, Any]]) -> None:
    """Write a file atomically and sync it to disk. Raises OSError; ArchiveDamaged where the count differs."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = part_of(path)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            count = _write_lines(packed, header, lines)
        raw.flush()
        os.fsync(raw.fileno())
    if count != header.count:
        part.unlink()
        raise ArchiveDamaged(f"{count} rows were there to be archived, {header.count} were chosen; try again")
    part.replace(path)
    _sync(path.parent)


def part_of(path: Path) -> Path:
    """Return the path of the file while it is written."""
    return path.with_name(f"{path.name}.part")


def _write_lines(packed: gzip.GzipFile, header: Header, lines: Iterable[dict[str, Any]]) -> int:
    count = 0
    with io.TextIOWrapper(packed, encoding="utf-8", write_through=True) as text:
        text.write(json.dumps(asdict(header)) + "\n")
        for line in lines:
            text.write(json.dumps(line) + "\n")
            count += 1
    return count


def _sync(folder: Path) -> None:
    """Sync the folder, so that the file's name is on disk, too: https://lwn.net/Articles/457667/"""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> tuple[Header, Iterator[str]]:
    """Return the header, and the lines after it. Raises ArchiveMissing; ArchiveDamaged, also while lines are read."""
    lines = _lines(path)
    try:
        header = Header(**json.loads(next(lines, "")))
    except (ValueError, TypeError):
        raise ArchiveDamaged(f"{path} is no archive: it does not begin with a header") from None
    if header.format != FORMAT:
        raise ArchiveDamaged(f"{path} is of the format {header.format}, this version reads {FORMAT}")
    return header, lines


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as text:
            yield from text
    except FileNotFoundError:
        raise ArchiveMissing(f"{path} is not there; say --from FOLDER if it was moved") from None
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ArchiveDamaged(f"{path} can't be read: {error}") from None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises ArchiveMissing."""
    try:
        with path.open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArchiveMissing(f"{path} is not there; say --from FOLDER if it was moved") from None


def read_event(
    connection: Connection, wanted_id: str, location: ArchiveLocation, *, folder: Path | None = None
) -> dict[str, Any]:
    """Return an archived event as event_status.event would. folder: where the file is now; None: where it was written.

    Raises ArchiveMissing; ArchiveDamaged where the file is not as it was written.
    """
    path = (folder or Path(location.folder)) / location.name
    if digest(path) != location.sha256:
        raise ArchiveDamaged(f"{path} is not as it was written: its SHA-256 is not {location.sha256}")
    for text in read(path)[1]:
        if wanted_id in text and event_id(line := parse_line(text)) == wanted_id:  # most lines need not be parsed
            return describe_event(connection, line)
    raise ArchiveDamaged(f"{path} does not have {wanted_id}, though the ledger says so")
