"""What MLflow showed when it was last asked what changed: the state that the next poll is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update

from registrar.ledger.tables import registry_polls


@dataclass(frozen=True)
class SeenModel:
    """A registered model as a poll saw it. created: ms by MLflow's clock. newest: its highest version; 0: none."""

    created: int
    newest: int
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Poll:
    """The last poll. number: of the last one that found a change. registry: MLflow's address; None: never polled.

    polled_at: when MLflow last answered. trouble: why it did not answer the last poll; None: it did.
    """

    registry: str | None
    number: int
    models: Mapping[str, SeenModel]
    due_at: datetime | None
    polled_at: datetime | None
    trouble: str | None


def last_poll(connection: Connection) -> Poll:
    row = connection.execute(select(registry_polls)).one()
    models = {name: SeenModel(*seen) for name, seen in row.models.items()}
    return Poll(row.registry, row.number, models, row.due_at, row.polled_at, row.trouble)


def is_due(connection: Connection, *, at: datetime, pause: timedelta) -> bool:
    """Return whether MLflow is to be polled now. pause: the longest that a poll may be put off: the clock was ahead."""
    due_at: datetime | None = connection.execute(select(registry_polls.c.due_at)).scalar_one()
    return due_at is None or not at < due_at <= at + pause


def claim(connection: Connection, *, at: datetime, pause: timedelta) -> bool:
    """Claim a due poll: until at + pause, no other worker gets it. Returns False where another one has it."""
    due = registry_polls.c.due_at
    free = update(registry_polls).where(or_(due.is_(None), due <= at, due > at + pause))
    return connection.execute(free.values(due_at=at + pause)).rowcount == 1


def save(
    connection: Connection,
    before: Poll,
    registry: str,
    models: Mapping[str, SeenModel],
    *,
    at: datetime,
    due_at: datetime,
) -> None:
    """Store what a poll saw, unless another one has stored something since `before`. registry: MLflow's address."""
    same = (registry, models) == (before.registry, before.models)
    seen = {name: [model.created, model.newest, dict(model.aliases)] for name, model in models.items()}
    found = {} if same else {"registry": registry, "models": seen, "number": before.number + 1}
    values = {"polled_at": at, "due_at": due_at, "trouble": None, **found}
    connection.execute(update(registry_polls).where(registry_polls.c.number == before.number).values(values))


def save_trouble(connection: Connection, trouble: str) -> None:
    connection.execute(update(registry_polls).values(trouble=trouble))
