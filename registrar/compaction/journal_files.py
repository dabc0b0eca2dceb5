"""Read the whole journal, from its archive files and from the ledger, and check all archive files."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.compaction.archive_file import ArchiveDamaged, ArchiveMissing, checked, read
from registrar.compaction.places import PlaceUnavailable
from registrar.ledger import Connection
from registrar.ledger.journal.append import STAYS
from registrar.ledger.journal.chain import Head
from registrar.ledger.journal.stored import is_same
from registrar.ledger.journal.stream import entries
from registrar.ledger.queries.archived_journal import all_files, checkpoint, journal_files, rows_in_both
from registrar.ledger.queries.find import ArchiveLocation
from registrar.ledger.queries.incidents import is_incident


def whole_journal(connection: Connection, *, folder: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield all entries, oldest first, as `stream.entries` would; those in files from there. Unverified.

    folder: where the files are now; None: where they were written. Raises ArchiveMissing, PlaceUnavailable;
    ArchiveDamaged where a file, or an entry that the ledger still has, is not as it was.
    """
    both = rows_in_both(connection)
    row = next(both, None)
    for entry in file_entries(journal_files(connection), folder=folder):
        if row is not None and row["seq"] == entry["seq"]:
            if not is_same(row, entry):
                raise ArchiveDamaged(f"entry {row['seq']} is not the same in the ledger and in the archive file")
            row = next(both, None)
        elif entry["kind"] in STAYS or is_incident(entry["kind"], entry["body"]):
            raise ArchiveDamaged(f"entry {entry['seq']} is in an archive file, and missing in the ledger")
        yield entry
    yield from entries(connection, after=checkpoint(connection).seq)


def file_entries(
    files: Iterable[tuple[ArchiveLocation, Head]],
    *,
    folder: str | None = None,
    after: int = 0,
    since: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the entries of files, their seq above `after`; whole files that end before `since` are left out."""
    for location, end in files:
        if end.seq <= after:
            continue
        try:
            file, last = checked(location, folder=folder), Head()
        except ArchiveMissing as missing:
            otherwise = f"or restore it from its backup; without it nothing up to entry {end.seq} is proven"
            raise ArchiveMissing(f"{missing}, {otherwise}") from None
        header, lines = read(file)
        if since is not None and datetime.fromisoformat(header.until) < since:
            continue
        for text in lines:
            entry = json.loads(text)
            last = Head(entry["seq"], entry["hash"])
            if last.seq > after:
                yield entry
        if last != end:
            raise ArchiveDamaged(f"{file} ends with entry {last}, and the ledger says {end}")


@dataclass(frozen=True)
class FilesChecked:
    """intact: the number of files. lost: sentences about those that can't be read where they should be."""

    intact: int
    lost: list[str]


def check_files(connection: Connection, *, folder: str | None = None) -> FilesChecked:
    """Compare each archive file with its digest. folder: as above. Raises ArchiveDamaged for one that was altered."""
    intact, lost = 0, []
    for location in all_files(connection):
        try:
            checked(location, folder=folder)
        except (ArchiveMissing, PlaceUnavailable) as error:
            lost.append(str(error))
        else:
            intact += 1
    return FilesChecked(intact, lost)
