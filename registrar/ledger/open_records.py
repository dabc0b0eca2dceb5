"""The open records of a model: holdings, promotions, deployments."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import LedgerChange
from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger import deployments, promotions
from registrar.ledger.deployments import DeploymentEnded
from registrar.ledger.holders import ARCHIVED, HoldingEnded
from registrar.ledger.incarnations import COLUMNS, Recorded
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.tables import holders, incarnations
from registrar.ledger.tables import promotions as promotion_rows


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
    promotions_ = promotions.still_open(connection, model=model)
    deployments_ = deployments.under_way(connection, model=model)
    incarnations_ = _noted(
        connection, [*(row.incarnation for row in promotions_), *(row.incarnation for row in deployments_)]
    )
    return [
        *_holdings(connection, model, about),
        *(
            _open(
                promotions.recorded(row, incarnations_),
                f"its promotion to {row.target}",
                "promotion",
                row.id,
                row.target,
            )
            for row in promotions_
        ),
        *(
            _open(
                deployments.recorded(row, incarnations_),
                f"its deployment to {row.target}",
                "deployment",
                row.id,
                row.target,
            )
            for row in deployments_
        ),
    ]


def _noted(connection: Connection, numbers: Iterable[int | None]) -> dict[int, Incarnation]:
    if not (noted := sorted({each for each in numbers if each})):
        return {}
    return {number: Incarnation(*row) for number, *row in connection.execute(_select_noted(), {"noted": noted})}


def _holdings(connection: Connection, model: str, about: Collection[int] | None) -> Iterator[Open]:
    which = {"of_model": model, **({} if about is None else {"about": sorted(about)})}
    rows = connection.execute(_select_holdings(all_archived=about is None), which)
    for version, since, kind, key, evidence, number, *noted in rows:
        incarnation = Incarnation(*noted) if number else None
        holding = Recorded(version, since, incarnation, (evidence or {}).get("run_id"))
        yield _open(holding, key if kind == "stage" else f"@{key}", kind, key)


def _open(recorded: Recorded, what: str, kind: str, key: str, target: str = "") -> Open:
    return Open(
        recorded.version, recorded.since, recorded.noted, recorded.run_id, what=what, kind=kind, key=key, target=target
    )


@cache
def _select_noted() -> Select[Any]:
    return select(incarnations.c.seq, *COLUMNS).where(incarnations.c.seq.in_(bindparam("noted", expanding=True)))


@cache
def _select_holdings(*, all_archived: bool) -> Select[Any]:
    joined = holders.outerjoin(promotion_rows, holders.c.promotion_id == promotion_rows.c.id)
    joined = joined.outerjoin(incarnations, holders.c.incarnation == incarnations.c.seq)
    columns = (holders.c.version, holders.c.since, holders.c.kind, holders.c.key, promotion_rows.c.evidence)
    held = (holders.c.model == bindparam("of_model"), holders.c.until.is_(None))
    query = select(*columns, holders.c.incarnation, *COLUMNS).select_from(joined).where(*held).order_by(holders.c.seq)
    if all_archived:
        return query
    return query.where(or_(holders.c.key != ARCHIVED, holders.c.version.in_(bindparam("about", expanding=True))))
