"""What an auditor asks for beside who held what: changes by hand, quarantines, deployments, and what was refused."""

from datetime import datetime

from sqlalchemy import Connection, and_, not_, or_, select

from registrar.ledger.around import Entry, columns, read
from registrar.ledger.halving import Between
from registrar.ledger.noted import CHANGED, PUT_BACK
from registrar.ledger.tables import journal
from registrar.ledger.version_state import Key

# Pieces of the canonical JSON that an entry's body is.
_SUPERSEDED = '"state":"superseded"'
_WENT_ON = ('"state":"approved"', '"state":"promoted"')
_IS_INCIDENT = or_(
    journal.c.kind.in_((CHANGED, PUT_BACK)),
    and_(journal.c.kind == "version.state", journal.c.body.contains(f'"key":"{Key.QUARANTINED.value}"')),
    and_(journal.c.kind == "deployment.ended", not_(journal.c.body.contains(_SUPERSEDED))),
    and_(journal.c.kind == "promotion.decided", *(not_(journal.c.body.contains(state)) for state in _WENT_ON)),
    and_(journal.c.kind == "vote", journal.c.body.contains('"counted":false')),
)


def incidents(
    connection: Connection,
    *,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Of the journal, newest first. model None: of all."""
    within = Between(since, until).where(connection, journal.c.seq, journal.c.at)
    query = select(*columns()).where(*within, _IS_INCIDENT).order_by(journal.c.seq.desc()).limit(limit)
    if model is not None:
        query = query.where(journal.c.model == model)
    return [read(row) for row in connection.execute(query)]
