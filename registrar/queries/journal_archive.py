"""The journal entries that an export takes from archive files."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from registrar.compaction.journal_files import file_entries
from registrar.compaction.places import PlaceUnavailable, place
from registrar.ledger.journal.chain import Head
from registrar.ledger.queries.find import ArchiveLocation
from registrar.queries.query_service import Row, Unknown


def of_files(
    files: Sequence[tuple[ArchiveLocation, Head]],
    *,
    model: str | None,
    since: datetime | None,
    until: datetime | None,
    after: int,
) -> Iterator[Row]:
    """Return the entries of files that an export asks for.

    Raises Unknown at once where a file can't be read from this machine: an export that has begun can't say so any more.
    """
    for location, end in files:
        if not _is_here(location):
            raise Unknown(
                f"the journal's entries up to {end.seq} were archived into a file that this machine does not have: "
                f"export on the machine that has the archive, or only what comes after entry {files[-1][1].seq}"
            )
    entries = file_entries(files, after=after, since=since)
    return (entry for entry in entries if _matches(entry, model, since, until))


def _is_here(location: ArchiveLocation) -> bool:
    try:
        return place(location.folder).exists(location.name)
    except PlaceUnavailable:
        return False


def _matches(entry: Row, model: str | None, since: datetime | None, until: datetime | None) -> bool:
    if model is not None and entry["model"] != model:
        return False
    at = datetime.fromisoformat(entry["at"])
    return (since is None or at >= since) and (until is None or at < until)
