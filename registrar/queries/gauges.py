"""Read what the gauges of /metrics show of the ledger, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registrar.ledger import Connection
from registrar.ledger.deployments import Deployment
from registrar.ledger.heartbeats import Heartbeat, all_known
from registrar.ledger.promotions import Promotion, still_open
from registrar.ledger.queries import metrics
from registrar.ledger.votes import approvals
from registrar.policy import Policy
from registrar.queries.not_live import not_live
from registrar.queries.voting import voting


@dataclass(frozen=True)
class Gauges:
    """undecided: open promotions with their state; open: each with whether its approval can't be met any more."""

    queue: metrics.Queue
    dead_letters: Sequence[metrics.DeadLetterCount]
    undecided: Sequence[metrics.OpenPromotion]
    open: Sequence[tuple[Promotion, bool]]
    not_live: Sequence[Deployment]
    held: Sequence[metrics.HeldTarget]
    heartbeats: Sequence[Heartbeat]


def read_gauges(connection: Connection, policy: Policy, at: datetime) -> Gauges:
    return Gauges(
        metrics.queue(connection, at),
        tuple(metrics.dead(connection)),
        tuple(metrics.undecided(connection)),
        tuple((one, _is_impossible(connection, policy, one, at)) for one in still_open(connection)),
        tuple(not_live(policy, connection)),
        tuple(metrics.held(connection)),
        tuple(all_known(connection)),
    )


def _is_impossible(connection: Connection, policy: Policy, promotion: Promotion, at: datetime) -> bool:
    open_voting = voting(policy, promotion, approvals(connection, promotion.id), at=at)
    return bool(open_voting and open_voting.impossible)
