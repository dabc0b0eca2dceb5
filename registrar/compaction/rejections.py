"""Choose rejections to archive: all that are old enough."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from registrar.compaction.archive_file import to_json
from registrar.compaction.scan import Candidate, Kind, Line, Scan
from registrar.ledger.tables import rejections

_AT_ONCE = 500


def scan(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan in order; ends at a batch that is all too young."""
    query = select(rejections.c.seq, rejections.c.at).where(rejections.c.seq > after)
    found = connection.execute(query.order_by(rejections.c.seq).limit(_AT_ONCE)).all()
    chosen = [Candidate(row.seq, row.at) for row in found if row.at < cutoff]
    return Scan(chosen, found[-1].seq if chosen else None)


def lines(connection: Connection, seqs: Sequence[int], *, lock: bool = False) -> dict[int, Line]:
    """Return {"rejection": row} by seq."""
    query = select(rejections).where(rejections.c.seq.in_(seqs)).order_by(rejections.c.seq)
    found = connection.execute(query.with_for_update() if lock else query).mappings()
    return {row["seq"]: {"rejection": to_json(dict(row))} for row in found}


def _key(line: Line) -> int:
    return int(line["rejection"]["seq"])


def _delete(connection: Connection, gone: Sequence[Line], archive_seq: int) -> None:
    connection.execute(delete(rejections).where(rejections.c.seq.in_([_key(line) for line in gone])))


REJECTIONS = Kind("rejections", scan, lines, _key, _delete)
