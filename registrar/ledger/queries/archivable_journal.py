"""Find the journal entries that may be moved into archive files: the oldest ones, without a gap."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from registrar.ledger import metrics_checkpoint
from registrar.ledger.queries.archivable import Candidate, Scan
from registrar.ledger.queries.archived_journal import checkpoint
from registrar.ledger.tables import journal

# Rows that one scan reads.
_AT_ONCE = 2_000


def scan_journal(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan in order; ends at the first entry that is too young, and before the newest, which the next one continues.

    It also ends where the metrics have counted to, as what is gone could not be counted any more.
    """
    begin = max(after, checkpoint(connection).seq)
    newest = connection.execute(select(func.max(journal.c.seq))).scalar() or 0
    counted = metrics_checkpoint.current(connection).seq
    within = (journal.c.seq > begin, journal.c.seq < newest, journal.c.seq <= counted)
    query = select(journal.c.seq, journal.c.at).where(*within)
    rows = connection.execute(query.order_by(journal.c.seq).limit(_AT_ONCE)).all()
    chosen: list[Candidate] = []
    for row in rows:
        if row.at >= cutoff:
            return Scan(chosen, None)
        chosen.append(Candidate(row.seq, row.at))
    return Scan(chosen, rows[-1].seq if rows else None)
