"""The open records of a model: holdings, promotions, deployments."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, true

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import LedgerChange
from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger import deployments, promotions
from registrar.ledger.deployments import DeploymentEnded
from registrar.ledger.holders import ARCHIVED, HoldingEnded
from registrar.ledger.incarnations import COLUMNS, Recorded
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.tables import holders, incarnations
from registrar.ledger.tables import promotions as asked_for


@dataclass(frozen=True)
class Open(Recorded):
    """An open record. what: for people. kind: stage | alias | promotion | deployment. key: of a holding, else the id.

    target: of a promotion or a deployment.
    """

    what: str = ""
    kind: str = ""
    key: str = ""
    target: str = ""

    @property
    def live(self) -> bool:
        return self.key != ARCHIVED

    def end_record(self, model: str, because: str) -> LedgerChange:
        """Return the ledger change that ends it, as its version no longer exists."""
        if self.kind == "promotion":
            return PromotionStateChanged(self.key, PromotionState.SUPERSEDED, because)
        if self.kind == "deployment":
            return DeploymentEnded(self.key, DeploymentState.SUPERSEDED)
        return HoldingEnded(model, self.kind, self.version, self.key, because=because)


def open_records(connection: Connection, model: str, *, about: Collection[int] | None = None) -> Sequence[Open]:
    """Return the open records of a model. about: versions in Archived to include; None: all."""
    asked = promotions.still_open(connection, model=model)
    deployed = deployments.under_way(connection, model=model)
    which = _noted(connection, [*(one.incarnation for one in asked), *(one.incarnation for one in deployed)])
    return [
        *_holdings(connection, model, about),
        *(
            _open(promotions.recorded(one, which), f"its promotion to {one.target}", "promotion", one.id, one.target)
            for one in asked
        ),
        *(
            _open(deployments.recorded(one, which), f"its deployment to {one.target}", "deployment", one.id, one.target)
            for one in deployed
        ),
    ]


def _noted(connection: Connection, numbers: Iterable[int | None]) -> dict[int, Incarnation]:
    found = select(incarnations.c.seq, *COLUMNS).where(incarnations.c.seq.in_({each for each in numbers if each}))
    return {number: Incarnation(*row) for number, *row in connection.execute(found)}


def _holdings(connection: Connection, model: str, about: Collection[int] | None) -> Iterator[Open]:
    wanted = true() if about is None else or_(holders.c.key != ARCHIVED, holders.c.version.in_(about))
    joined = holders.outerjoin(asked_for, holders.c.promotion_id == asked_for.c.id)
    joined = joined.outerjoin(incarnations, holders.c.incarnation == incarnations.c.seq)
    columns = (holders.c.version, holders.c.since, holders.c.kind, holders.c.key, asked_for.c.evidence)
    mine = select(*columns, holders.c.incarnation, *COLUMNS).select_from(joined).where(holders.c.model == model, wanted)
    for version, since, kind, key, evidence, number, *noted in connection.execute(
        mine.where(holders.c.until.is_(None)).order_by(holders.c.seq)
    ):
        which = Incarnation(*noted) if number else None
        found = Recorded(version, since, which, (evidence or {}).get("run_id"))
        yield _open(found, key if kind == "stage" else f"@{key}", kind, key)


def _open(found: Recorded, what: str, kind: str, key: str, target: str = "") -> Open:
    return Open(found.version, found.since, found.noted, found.run_id, what=what, kind=kind, key=key, target=target)
