"""All that a model's record says of the present: who holds what, what is asked for, what is being deployed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, true

from registrar.incarnation import Incarnation
from registrar.ledger import deployments, promotions
from registrar.ledger.deployments import Ended
from registrar.ledger.history import Released
from registrar.ledger.incarnations import Recorded, known
from registrar.ledger.promotions import Decided
from registrar.ledger.tables import holders
from registrar.ledger.tables import promotions as asked_for
from registrar.outcome import Record

ARCHIVED = "Archived"  # where versions are without number


@dataclass(frozen=True)
class Open(Recorded):
    """One of them. what: for people. kind: stage | alias | promotion | deployment. key: of a holding, else its id.

    target: of a promotion or a deployment.
    """

    what: str = ""
    kind: str = ""
    key: str = ""
    target: str = ""

    @property
    def live(self) -> bool:
        return self.key != ARCHIVED

    def ended(self, model: str, because: str) -> Record:
        """The record that ends it, since its version is no more."""
        if self.kind == "promotion":
            return Decided(self.key, "superseded", because)
        if self.kind == "deployment":
            return Ended(self.key, "superseded")
        return Released(model, self.kind, self.version, self.key, because=because)


def open_records(connection: Connection, model: str, *, about: Collection[int] | None = None) -> Sequence[Open]:
    """Those of a model that have not ended. about: of Archived, the versions of these numbers alone; None: all."""
    which = known(connection, model)
    return [
        *_holdings(connection, model, which, about),
        *(
            _open(promotions.recorded(one, which), f"its promotion to {one.target}", "promotion", one.id, one.target)
            for one in promotions.still_open(connection, model=model)
        ),
        *(
            _open(deployments.recorded(one, which), f"its deployment to {one.target}", "deployment", one.id, one.target)
            for one in deployments.under_way(connection, model=model)
        ),
    ]


def _holdings(
    connection: Connection, model: str, which: Mapping[int, Incarnation], about: Collection[int] | None
) -> Iterator[Open]:
    wanted = true() if about is None else or_(holders.c.key != ARCHIVED, holders.c.version.in_(about))
    joined = holders.outerjoin(asked_for, holders.c.promotion_id == asked_for.c.id)
    mine = select(holders, asked_for.c.evidence).select_from(joined).where(holders.c.model == model, wanted)
    for row in connection.execute(mine.where(holders.c.until.is_(None)).order_by(holders.c.seq)):
        found = Recorded(row.version, row.since, which.get(row.incarnation), (row.evidence or {}).get("run_id"))
        yield _open(found, row.key if row.kind == "stage" else f"@{row.key}", row.kind, row.key)


def _open(found: Recorded, what: str, kind: str, key: str, target: str = "") -> Open:
    return Open(found.version, found.since, found.noted, found.run_id, what=what, kind=kind, key=key, target=target)
