"""Rejected requests: source, reason, size and time; never the body, a header or a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from registrar.ledger.engine import TRANSACTION_ERRORS
from registrar.ledger.tables import rejections

# Rows of about 400 bytes. A rejection is no audit record.
KEPT = 100_000
_PRUNE_EVERY = 1000
# Why a row may not be written; the request is refused all the same.
WRITE_ERRORS = TRANSACTION_ERRORS


def record(
    connection: Connection, *, source: str, status: int, code: str, detail: str, size: int | None, at: datetime
) -> None:
    """Write a rejection; texts are cut to the columns' lengths. size: bytes. Deletes the oldest rows now and then."""
    row = {"source": source[:64], "status": status, "code": code[:64], "detail": detail[:1000], "size": size, "at": at}
    (seq,) = connection.execute(insert(rejections).values(row)).inserted_primary_key or (0,)
    if seq % _PRUNE_EVERY == 0:
        connection.execute(delete(rejections).where(rejections.c.seq <= seq - KEPT))


def latest(
    connection: Connection, *, source: str | None = None, before: int | None = None, limit: int = 50
) -> list[Mapping[str, Any]]:
    """Return the newest rejections, newest first. before: only smaller seqs."""
    query = select(rejections).order_by(rejections.c.seq.desc()).limit(limit)
    if source is not None:
        query = query.where(rejections.c.source == source)
    if before is not None:
        query = query.where(rejections.c.seq < before)
    return [dict(row) for row in connection.execute(query).mappings()]
