"""The journal entries that an export takes from archive files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from registrar.compaction.archive_file import located
from registrar.compaction.journal_files import file_entries
from registrar.compaction.places import PlaceUnavailable
from registrar.ledger.journal.chain import Head
from registrar.ledger.queries.find import ArchiveLocation
from registrar.queries.query_service import Row, Unknown

# Files of the journal in order, each with its last entry.
Files = Sequence[tuple[ArchiveLocation, Head]]


@dataclass(frozen=True)
class JournalFilter:
    """Entries about a model, in [since, until). None: any."""

    model: str | None
    since: datetime | None
    until: datetime | None

    def matches(self, entry: Row) -> bool:
        if self.model is not None and entry["model"] != self.model:
            return False
        at = datetime.fromisoformat(entry["at"])
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def check_here(files: Files, *, after: int, folder: str | None) -> None:
    """Raise Unknown where a file with an entry above `after` can't be read from this machine.

    folder: where the files are now; None: where they were written. An export that has begun can't say so any more.
    """
    for location, end in files:
        if end.seq > after and not _is_here(location, folder):
            raise Unknown(
                f"the journal's entries up to {end.seq} were archived into a file that this machine does not have: "
                "`registrar audit export` on the machine that has it, --from FOLDER if it was moved; "
                f"or only what comes after entry {files[-1][1].seq}"
            )


def _is_here(location: ArchiveLocation, folder: str | None) -> bool:
    try:
        return located(location, folder=folder).is_there()
    except PlaceUnavailable:
        return False


def of_files(files: Files, wanted: JournalFilter, *, after: int, folder: str | None) -> Iterator[Row]:
    """Yield the entries of files that an export asks for. Raises ArchiveMissing, ArchiveDamaged, PlaceUnavailable."""
    found = file_entries(files, folder=folder, after=after, since=wanted.since)
    return (entry for entry in found if wanted.matches(entry))
