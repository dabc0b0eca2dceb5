"""Read all that the page of one model shows of the ledger, in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from registrar.ledger import Connection, promotions
from registrar.ledger.deployments import IN_VAIN, Deployment
from registrar.ledger.disputes import Dispute, dispute
from registrar.ledger.incarnations import made_anew_at
from registrar.ledger.queries import models
from registrar.ledger.queries.event_context import Entry
from registrar.ledger.queries.find import newest_holdings
from registrar.ledger.queries.holdings import Holding, present_holdings
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.version_history import LeadTime, lead_times
from registrar.policy import ModelPolicy, Policy
from registrar.queries.dashboard import RollbackOption, rollback_options
from registrar.queries.model_standing import ModelStanding
from registrar.queries.model_versions import VersionPage, read_page
from registrar.queries.not_live import last_deployments
from registrar.queries.promotion_view import PromotionView, promotion_views
from registrar.queries.target_cards import OtherHolding, TargetCard, other_holdings, places, target_cards
from registrar.queries.version_verbs import Person, Verb, verbs
from registrar.text.sanitize import is_visible

VERSIONS = 30  # of a page
_HOLDINGS, _INCIDENTS = 200, 50  # the newest on a page
_LEAD_TIMES = 10  # versions of which the median is taken


@dataclass(frozen=True)
class MedianLeadTime:
    """stage: of the policy's last target. length: the median of the newest versions that were promoted there."""

    stage: str
    length: timedelta
    of: Sequence[LeadTime]


@dataclass(frozen=True)
class ModelRecord:
    """A model as the ledger knows it. summary: as models.get_model returns it.

    recreated_at: when MLflow's model was created again under the name of a deleted one; None: it was not. cards: of the
    policy's targets, the last first. others: what is held beside them. deployments: the last one of each holder of a
    target, to that target. held: the newest holdings, oldest first. verbs: what the reader may do, by the number of
    each holder of a target.
    """

    summary: Mapping[str, Any]
    recreated_at: datetime | None
    cards: Sequence[TargetCard]
    others: Sequence[OtherHolding]
    deployments: Sequence[Deployment]
    versions: VersionPage
    held: Sequence[Holding]
    lead_time: MedianLeadTime | None
    incidents: Sequence[Entry]
    rollbacks: Sequence[RollbackOption]
    open: Sequence[PromotionView]
    dispute: Dispute | None
    verbs: Mapping[int, Sequence[Verb]]

    @property
    def not_live(self) -> Sequence[Deployment]:
        """Return the deployments of holders that failed, or were not confirmed in time."""
        return [one for one in self.deployments if one.state in IN_VAIN]


def read_model(
    connection: Connection,
    policy: Policy,
    name: str,
    *,
    at: datetime,
    before: int | None = None,
    person: Person | None = None,
) -> ModelRecord | None:
    """None: no event was ever about it. before: the versions' page begins below this number. person: the reader."""
    summary = models.get_model(connection, name) if is_visible(name) else None
    if summary is None:
        return None
    own, recreated_at = policy.model(name), made_anew_at(connection, [name]).get(name)
    holdings = present_holdings(connection, name, places(own))
    open_ = promotion_views(policy, connection, promotions.still_open(connection, model=name), at=at)
    deployments = last_deployments(policy, connection, model=name)
    versions = read_page(
        connection,
        own,
        name,
        recreated_at=recreated_at,
        before=before,
        also={(one.kind, one.key): one.version for one in holdings}.values(),  # of several holders, the latest
        limit=VERSIONS,
    )
    metrics = {number: row.metrics for number, row in versions.also.items()}
    cards = target_cards(own, holdings, metrics, deployments, open_)
    disputed, rollbacks = dispute(connection, name), rollback_options(connection, name, own, recreated_at)
    stopped = person is None or (disputed is not None and not disputed.moves)
    record = ModelStanding(connection, own, name, summary["holders"])
    return ModelRecord(
        summary,
        recreated_at,
        cards,
        other_holdings(own, summary["holders"], cards),
        deployments,
        versions,
        newest_holdings(connection, name, limit=_HOLDINGS),
        _median_lead_time(connection, own, name, recreated_at),
        incidents(connection, model=name, limit=_INCIDENTS),
        rollbacks,
        open_,
        disputed,
        {}
        if stopped or person is None
        else _verbs(policy, person, record, cards=cards, versions=versions, rollbacks=rollbacks),
    )


def _verbs(
    policy: Policy,
    person: Person,
    record: ModelStanding,
    *,
    cards: Iterable[TargetCard],
    versions: VersionPage,
    rollbacks: Iterable[RollbackOption],
) -> Mapping[int, Sequence[Verb]]:
    targets = [option.target for option in rollbacks]
    return {
        number: verbs(policy, person, record, number, promotions=versions.also[number].requests, rollbacks=targets)
        for number in {card.held.version for card in cards if card.held}
    }


def _median_lead_time(
    connection: Connection, policy: ModelPolicy, model: str, recreated_at: datetime | None
) -> MedianLeadTime | None:
    """None: no promotion brought a version to the policy's last target."""
    if not policy.targets:
        return None
    target = policy.targets[-1]
    found = lead_times(connection, model, policy.holding_key(target), since=recreated_at, limit=_LEAD_TIMES)
    middle = median(one.length.total_seconds() for one in found) if found else 0
    return MedianLeadTime(target.stage, timedelta(seconds=middle), found) if found else None
