"""The part of the journal that is in archive files, and the checkpoint from which it goes on in the ledger."""

from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping, or_, select

from registrar.ledger.journal.chain import Head
from registrar.ledger.queries.find import ArchiveLocation
from registrar.ledger.tables import archives, journal

# Until the first row of a file is deleted, all of them are in the ledger: a run may just be writing it, or was killed.
_NEEDED = or_(archives.c.done_at.is_not(None), archives.c.deleted > 0)
_ENDS = (archives.c.until_seq.is_not(None), archives.c.sha256.is_not(None), _NEEDED)


def checkpoint(connection: Connection) -> Head:
    """Return the last entry that a file has; Head() where no file has any."""
    query = select(archives.c.until_seq, archives.c.until_hash).where(*_ENDS)
    row = connection.execute(query.order_by(archives.c.until_seq.desc()).limit(1)).first()
    return Head(*row) if row else Head()


def journal_files(connection: Connection) -> list[tuple[ArchiveLocation, Head]]:
    """Return the files of the journal in order, each with its last entry."""
    columns = [archives.c[name] for name in ArchiveLocation.__dataclass_fields__]
    query = select(*columns, archives.c.until_seq, archives.c.until_hash).where(*_ENDS)
    rows = connection.execute(query.order_by(archives.c.until_seq)).all()
    return [(ArchiveLocation(*row[:-2]), Head(*row[-2:])) for row in rows]


def rows_in_both(connection: Connection) -> Iterator[RowMapping]:
    """Yield the entries that a file has and the ledger, too, as the ledger stores them, in order: those that are looked
    up, or not yet deleted.
    """
    query = select(journal).where(journal.c.seq <= checkpoint(connection).seq)
    yield from connection.execute(query.order_by(journal.c.seq).execution_options(yield_per=1000)).mappings()


def all_files(connection: Connection) -> list[ArchiveLocation]:
    """Return all files that have what the ledger has no more, oldest first."""
    columns = [archives.c[name] for name in ArchiveLocation.__dataclass_fields__]
    query = select(*columns).where(_NEEDED).order_by(archives.c.seq)
    return [ArchiveLocation(*row) for row in connection.execute(query)]
