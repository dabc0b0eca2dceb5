"""What was refused at the door: source, reason, size and time; never the body, a header or a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from registrar.ledger.engine import LedgerUnavailable
from registrar.ledger.tables import rejections

KEPT = 100_000  # rows, of about 400 bytes each; a refusal is no audit record
_PRUNE_EVERY = 1000
# Why a row may not be written; a rejection is none the less refused.
WRITE_ERRORS = (LedgerUnavailable, SQLAlchemyError)


def record(
    connection: Connection, *, source: str, status: int, code: str, detail: str, size: int | None, at: datetime
) -> None:
    """Write one refusal. Texts are cut to what the columns hold; size in bytes. Now and then the oldest go."""
    row = {"source": source[:64], "status": status, "code": code[:64], "detail": detail[:1000], "size": size, "at": at}
    (seq,) = connection.execute(insert(rejections).values(row)).inserted_primary_key or (0,)
    if seq % _PRUNE_EVERY == 0:
        connection.execute(delete(rejections).where(rejections.c.seq <= seq - KEPT))


def latest(
    connection: Connection, *, source: str | None = None, before: int | None = None, limit: int = 50
) -> list[Mapping[str, Any]]:
    """The newest refusals, newest first. before: the seq of the last one seen."""
    query = select(rejections).order_by(rejections.c.seq.desc()).limit(limit)
    if source is not None:
        query = query.where(rejections.c.source == source)
    if before is not None:
        query = query.where(rejections.c.seq < before)
    return [dict(row) for row in connection.execute(query).mappings()]
