"""Who held a model's exclusive stages when it was last looked at in the registry: what was seen, no audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from registrar.events.outcome import Cause
from registrar.ledger.tables import looks


@dataclass(frozen=True)
class StageSnapshotTaken:
    """Record: what a look saw. It takes the place of what the look before it saw.

    at: the newest change of the model that was seen; held: by stage, the versions in it, and by version when it had
    last changed. Both in ms by the registry's own clock. registry: its address; None: not known.
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
    """None where nobody has looked yet."""
    row = connection.execute(select(looks).where(looks.c.model == model)).one_or_none()
    if row is None:
        return None
    held = {stage: {int(version): int(changed) for version, changed in pairs} for stage, pairs in row.held.items()}
    return StageSnapshotTaken(model, row.at, held, row.registry)
