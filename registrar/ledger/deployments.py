"""Requested deployments. A promoted version is live once a deployment of it was confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, insert, literal_column, or_, select, update

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.events.states import DeploymentState
from registrar.ledger.incarnations import Recorded, known, record_incarnation
from registrar.ledger.journal.append import EntryKind, append, written
from registrar.ledger.row_ids import new_id
from registrar.ledger.tables import deployments, holders

IN_VAIN = (DeploymentState.FAILED, DeploymentState.TIMED_OUT)
# A literal, as in predicates.py, so that SQLite uses the index uq_deployments_open.
_REQUESTED: ColumnElement[str] = literal_column(f"'{DeploymentState.REQUESTED}'")


@dataclass(frozen=True)
class Deployment:
    """A request to deploy a version. due_at: the deadline for a confirmation.

    A late report of success makes a failed or timed out deployment live. environment None: reports of any environment
    count. on_failure: alert | rollback, from the policy at the time of the request.
    """

    id: str
    model: str
    version: int
    target: str
    state: str
    event_id: str
    requested_at: datetime
    on_failure: str
    due_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    environment: str | None = None
    incarnation: int | None = None  # its version's (ledger/incarnations.py)


@dataclass(frozen=True)
class DeploymentRequested:
    """Record: a version is to be deployed to a target. Supersedes an open deployment to that target."""

    model: str
    version: int
    target: str
    environment: str | None
    due_at: datetime | None
    on_failure: str
    id: str = field(default_factory=lambda: new_id("dep"))

    def apply(self, connection: Connection, cause: Cause) -> None:
        superseded = and_(_requested(self.model), deployments.c.target == self.target)
        _end(connection, superseded, DeploymentState.SUPERSEDED, cause)
        row = {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "target": self.target,
            "state": DeploymentState.REQUESTED,
            "event_id": cause.event_id,
            "requested_at": cause.at,
            "due_at": self.due_at,
            "environment": self.environment,
            "on_failure": self.on_failure,
            "incarnation": record_incarnation(connection, cause, self.model, self.version),
        }
        connection.execute(insert(deployments).values(row))
        fields = {name: row[name] for name in ("target", "state", "due_at", "environment", "on_failure", "incarnation")}
        append(
            connection,
            cause,
            EntryKind.DEPLOYMENT_REQUESTED,
            model=self.model,
            version=self.version,
            deployment_id=self.id,
            **fields,
        )


@dataclass(frozen=True)
class DeploymentEnded:
    """Record: a deployment is live (perhaps late), has failed, or was not confirmed in time."""

    deployment_id: str
    state: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = [DeploymentState.REQUESTED, *(IN_VAIN if self.state == DeploymentState.LIVE else ())]
        open_ = and_(deployments.c.id == self.deployment_id, deployments.c.state.in_(before))
        _end(connection, open_, self.state, cause)


def _written(connection: Connection) -> ColumnElement[int]:
    return written(connection, deployments, EntryKind.DEPLOYMENT_REQUESTED)


def under_way(connection: Connection, *, model: str | None = None) -> list[Deployment]:
    """Return the open deployments of a model, or of all models, oldest first."""
    rows = connection.execute(_select_under_way(one=model is not None), {"of_model": model})
    return [Deployment(**row._mapping) for row in rows]


@cache
def _select_under_way(*, one: bool) -> Select[Any]:
    query = select(deployments).where(deployments.c.state == _REQUESTED).order_by(deployments.c.requested_at)
    return query.where(deployments.c.model == bindparam("of_model")) if one else query


def late(connection: Connection, model: str, version: int) -> list[Deployment]:
    """Return the failed and timed out deployments of a version, newest first; none of an earlier incarnation of it."""
    of_version = and_(deployments.c.model == model, deployments.c.version == version)
    newest = (_written(connection).desc(), deployments.c.requested_at.desc())
    query = select(deployments).where(of_version).order_by(*newest)
    newest_first = [Deployment(**row._mapping) for row in connection.execute(query)]
    return [
        deployment
        for deployment in newest_first
        if deployment.state in IN_VAIN and deployment.incarnation == newest_first[0].incarnation
    ]


def get(connection: Connection, deployment_id: str) -> Deployment | None:
    row = connection.execute(select(deployments).where(deployments.c.id == deployment_id)).one_or_none()
    return Deployment(**row._mapping) if row else None


def was_live(connection: Connection, target: str, *, of: Incarnation) -> bool:
    """Return whether a deployment of this incarnation to a target was ever reported as succeeded."""
    matching = and_(
        deployments.c.model == of.model, deployments.c.version == of.version, deployments.c.target == target
    )
    rows = connection.execute(select(deployments).where(matching, deployments.c.state == DeploymentState.LIVE)).all()
    which = known(connection, of.model, version=of.version) if rows else {}
    return any(recorded(Deployment(**row._mapping), which).is_of(of) for row in rows)


def last(
    connection: Connection, model: str, version: int, target: str, *, of: Incarnation | None = None
) -> Deployment | None:
    """Return the deployment of a version to a target that was written last. of: as in promotions.latest."""
    matching = and_(deployments.c.model == model, deployments.c.version == version, deployments.c.target == target)
    newest = (
        _written(connection).desc(),
        deployments.c.requested_at.desc(),
    )
    which = known(connection, model, version=version) if of else {}
    for row in connection.execute(select(deployments).where(matching).order_by(*newest)):
        deployment = Deployment(**row._mapping)
        if of is None or recorded(deployment, which).is_of(of):
            return deployment
    return None


def recorded(deployment: Deployment, which: Mapping[int, Incarnation]) -> Recorded:
    """Return the version that a deployment is about. which: from incarnations.known."""
    return Recorded(deployment.version, deployment.requested_at, which.get(deployment.incarnation or 0))


@dataclass(frozen=True)
class HolderDeployment:
    """A deployment of a version, and a stage or alias that the version holds now."""

    kind: str
    key: str
    deployment: Deployment


def of_holders(connection: Connection, *, model: str | None = None) -> list[HolderDeployment]:
    """Return every deployment of each version that holds a stage or alias, oldest first. model: only of this one."""
    same_incarnation = or_(
        deployments.c.incarnation == holders.c.incarnation,
        deployments.c.incarnation.is_(None),  # not noted before schema 0011
        holders.c.incarnation.is_(None),
    )
    same_version = and_(
        deployments.c.model == holders.c.model, deployments.c.version == holders.c.version, same_incarnation
    )
    query = select(holders.c.kind, holders.c.key, deployments).select_from(holders.join(deployments, same_version))
    query = query.where(holders.c.until.is_(None)).order_by(_written(connection), deployments.c.requested_at)
    query = query if model is None else query.where(holders.c.model == model)
    return [_of_holder(**row._mapping) for row in connection.execute(query)]


def _of_holder(kind: str, key: str, **columns: Any) -> HolderDeployment:
    return HolderDeployment(kind, key, Deployment(**columns))


def _requested(model: str | None) -> ColumnElement[bool]:
    requested = deployments.c.state == _REQUESTED
    return requested if model is None else and_(requested, deployments.c.model == model)


def _end(connection: Connection, which: ColumnElement[bool], state: str, cause: Cause) -> None:
    for row in connection.execute(select(deployments).where(which).order_by(deployments.c.requested_at)).all():
        ended = {"state": state, "ended_at": cause.at, "ended_by": cause.event_id}
        connection.execute(update(deployments).where(deployments.c.id == row.id).values(ended))
        fields = {"deployment_id": row.id, "target": row.target, "state": state}
        append(connection, cause, EntryKind.DEPLOYMENT_ENDED, model=row.model, version=row.version, **fields)
