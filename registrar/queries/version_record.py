"""Read all that the page of one version shows of the ledger, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.events.incarnation import Incarnation
from registrar.ledger import Connection
from registrar.ledger.disputes import Dispute, dispute
from registrar.ledger.incarnations import known, made_anew_at, of_deleted
from registrar.ledger.queries import models, promotion_record
from registrar.ledger.queries.event_context import Entry, about_version
from registrar.ledger.queries.find import newest_holdings
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.queries.versions import KnownVersion, is_known, present_versions
from registrar.ledger.version_state import TAG
from registrar.policy import Policy
from registrar.queries.dashboard import RollbackOption, rollback_options
from registrar.queries.model_standing import ModelStanding
from registrar.queries.version_verbs import Person, Verb, verbs
from registrar.text.sanitize import is_visible

_PROMOTIONS, _HOLDINGS, _FACTS = 50, 100, 50  # the newest on a page


@dataclass(frozen=True)
class VersionRecord:
    """A version as the ledger knows it.

    known: its registration, as far as the record has it. made: it as the registry made it; None: no task saw it.
    step_back: the stage that a demotion leads to. holds: the stages and @aliases that it has now. state:
    registrar.ledger.version_state.Key -> value. tags: those that events gave it. deleted: the number is of a deleted
    model alone, and no version of the present one. recreated_at: when the model was created again under the name of a
    deleted one. became, promotions_of_deleted: by the promotion's id. facts: entries of the journal, newest first.
    verbs: what the reader may do.
    """

    known: KnownVersion
    made: Incarnation | None
    stage: str
    step_back: str | None
    holds: Sequence[str]
    state: Mapping[str, str]
    tags: Mapping[str, str]
    deleted: bool
    recreated_at: datetime | None
    held: Sequence[Holding]
    promotions: Sequence[Mapping[str, Any]]
    became: Mapping[str, PromotionResult]
    promotions_of_deleted: Mapping[str, datetime]
    facts: Sequence[Entry]
    rollbacks: Mapping[str, RollbackOption]
    dispute: Dispute | None
    verbs: Sequence[Verb]

    @property
    def seen(self) -> str:
        """Say what a person who looks at it sees: which version it is, and what it holds."""
        return seen(self.made, self.holds)


def seen(made: Incarnation | None, holds: Sequence[str]) -> str:
    return ",".join([made.created_at.isoformat() if made else "", *sorted(holds)])


def read_version(
    connection: Connection, policy: Policy, model: str, version: int, *, person: Person
) -> VersionRecord | None:
    """Return what the record has of a version; None: it knows none of that number."""
    summary = models.get_model(connection, model) if is_visible(model) else None
    if summary is None or not is_known(connection, model, version):
        return None
    record = ModelStanding(connection, policy.model(model), model, summary["holders"])
    recreated_at = made_anew_at(connection, [model]).get(model)
    deleted = recreated_at is not None and version not in record.numbers
    rows = promotion_record.page(connection, model=model, version=version, limit=_PROMOTIONS)
    of_old = of_deleted(connection, rows)
    rollbacks = {one.target: one for one in rollback_options(connection, model, policy.model(model), recreated_at)}
    disputed, state = dispute(connection, model), record.state_of(version)
    stopped = deleted or (disputed is not None and not disputed.moves)
    present = [row for row in rows if row["id"] not in of_old]
    may = verbs(policy, person, record, version, promotions=present, rollbacks=list(rollbacks))
    return VersionRecord(
        known=next(
            (one for one in present_versions(connection, model, numbers={version}) if one.version == version),
            KnownVersion(version),
        ),
        made=incarnation(connection, model, version, since=recreated_at),
        stage=record.stage_of(version),
        step_back=record.step_back(version),
        holds=held_by(record, version),
        state={key: value for key, value in state.items() if not key.startswith(TAG)},
        tags={key.removeprefix(TAG): value for key, value in state.items() if key.startswith(TAG)},
        deleted=deleted,
        recreated_at=recreated_at,
        held=newest_holdings(connection, model, version=version, limit=_HOLDINGS),
        promotions=rows,
        became=load_results(connection, rows),
        promotions_of_deleted=of_old,
        facts=about_version(connection, model, version, limit=_FACTS),
        rollbacks=rollbacks,
        dispute=disputed,
        verbs=[] if stopped else may,
    )


def incarnation(connection: Connection, model: str, version: int, *, since: datetime | None) -> Incarnation | None:
    """Return a version number's newest incarnation; None: no task saw one. since: the present model's creation."""
    found = [
        one for one in known(connection, model, version=version).values() if since is None or one.created_at >= since
    ]
    return max(found, key=lambda one: one.created_at, default=None)


def held_by(record: ModelStanding, version: int) -> list[str]:
    """Return what a version holds now: stages, and aliases with an @."""
    rows = [row for row in record.holders if row["version"] == version]
    return [row["key"] if row["kind"] == "stage" else f"@{row['key']}" for row in rows]


def read_seen(connection: Connection, policy: Policy, model: str, version: int) -> str:
    """Return what VersionRecord.seen is now."""
    summary = models.get_model(connection, model) if is_visible(model) else None
    record = ModelStanding(connection, policy.model(model), model, summary["holders"] if summary else [])
    since = made_anew_at(connection, [model]).get(model)
    return seen(incarnation(connection, model, version, since=since), held_by(record, version))
