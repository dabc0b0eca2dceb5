"""Snapshots of the versions in a model's exclusive stages, as last read from the registry; not part of the record."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from registrar.events.outcome import Cause
from registrar.ledger.tables import looks


@dataclass(frozen=True)
class StageSnapshotTaken:
    """Record: the versions in each stage. Replaces the snapshot before.

    at: the newest change of the model; held: {stage: {version: its last change}}. Times in ms by the registry's clock.
    registry: its address; None: not known.
    """

    model: str
    at: int
    held: Mapping[str, Mapping[int, int]]
    registry: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        pairs = {stage: [list(pair) for pair in versions.items()] for stage, versions in self.held.items()}
        values = {"model": self.model, "at": self.at, "held": pairs, "registry": self.registry}
        if connection.execute(update(looks).where(looks.c.model == self.model).values(values)).rowcount == 0:
            connection.execute(insert(looks).values(values))


def last_snapshot(connection: Connection, model: str) -> StageSnapshotTaken | None:
    """Return the last snapshot of a model; None: there is none."""
    row = connection.execute(select(looks).where(looks.c.model == model)).one_or_none()
    if row is None:
        return None
    held = {stage: {int(version): int(changed) for version, changed in pairs} for stage, pairs in row.held.items()}
    return StageSnapshotTaken(model, row.at, held, row.registry)
