"""Find what an id or a name stands for, and the newest holdings of a model."""

from typing import Any, Literal

from sqlalchemy import Connection, Select, select

from registrar.ledger.queries import models
from registrar.ledger.queries.holdings import Holding, holdings
from registrar.ledger.tables import events, holders, promotions, tasks

Kind = Literal["event", "promotion", "model"]
_LONGEST_ID, _LONGEST_NAME = 300, 250  # characters


def find_record(connection: Connection, text: str) -> tuple[Kind, str] | None:
    """Return what has this id or name, as its kind and its id. A task's id leads to its event."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID:
        queries: tuple[tuple[Kind, Select[Any]], ...] = (
            ("event", select(events.c.id).where(events.c.id == text)),
            ("event", select(tasks.c.event_id).where(tasks.c.id == text)),
            ("promotion", select(promotions.c.id).where(promotions.c.id == text)),
        )
        for kind, query in queries:
            if id_ := connection.execute(query).scalar():
                return kind, str(id_)
    if text.isprintable() and len(text) <= _LONGEST_NAME and models.get_model(connection, text):
        return "model", text
    return None


def newest_holdings(connection: Connection, model: str, *, limit: int) -> list[Holding]:
    """Return the newest holdings of a model, oldest first."""
    newest = select(holders.c.seq).where(holders.c.model == model).order_by(holders.c.seq.desc()).limit(limit)
    return holdings(connection, holders.c.seq.in_(newest.scalar_subquery()))
