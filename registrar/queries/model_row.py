"""One row for each model: its path of targets with who holds what, its deciding metric, and who must act next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registrar.ledger.deployments import Deployment
from registrar.ledger.disputes import Dispute
from registrar.queries.model_metric import MetricTrend
from registrar.queries.next_act import NextAct
from registrar.queries.promotion_view import PromotionView


class Liveness(StrEnum):
    """Whether a holder of a target is deployed there. UNKNOWN: no deployment was requested since it got there."""

    LIVE = "live"
    NOT_LIVE = "not_live"
    DEPLOYING = "deploying"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TargetHolder:
    """A version in a target. by_hand: it was moved in MLflow, past the policy. quarantined: why; None: it is not.

    live None: nothing deploys what reaches the target. deployment: the last one.
    """

    version: int
    since: datetime
    by: str
    by_hand: bool
    quarantined: str | None
    live: Liveness | None
    deployment: Deployment | None


@dataclass(frozen=True)
class HeldBack:
    """A version that the gates of a target held back, and nobody asked for again."""

    version: int
    reasons: Sequence[str]


@dataclass(frozen=True)
class TargetStep:
    """A target of the path. holders: the latest first. alias_holder: the version that has the target's alias. open:
    promotions on their way to it. held_back: the newest version, if it was.
    """

    target: str
    alias: str | None
    holders: tuple[TargetHolder, ...]
    alias_holder: int | None
    open: tuple[PromotionView, ...]
    held_back: HeldBack | None

    @property
    def is_split(self) -> bool:
        """Return whether the target's alias is at another version than the target."""
        return self.alias_holder is not None and self.alias_holder not in [one.version for one in self.holders]

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        names = ("version", "since", "by", "by_hand", "quarantined", "live")
        return {
            "target": self.target,
            "alias": self.alias,
            "holders": [{name: getattr(each, name) for name in names} for each in self.holders],
            "alias_holder": self.alias_holder,
            "open": [
                {"id": view.promotion.id, "version": view.promotion.version, "state": str(view.promotion.state)}
                for view in self.open
            ],
            "held_back": {**vars(self.held_back), "reasons": list(self.held_back.reasons)} if self.held_back else None,
        }


@dataclass(frozen=True)
class ModelRow:
    """others: (name, version) of what is held beside the targets, but for Archived. changed_at: when something was
    asked for or moved last, among the newest; None: nothing was.
    """

    model: str
    steps: tuple[TargetStep, ...]
    others: tuple[tuple[str, int], ...]
    metric: MetricTrend | None
    next: NextAct
    changed_at: datetime | None
    dispute: Dispute | None

    @property
    def open(self) -> int:
        return sum(len(step.open) for step in self.steps)

    @property
    def is_empty(self) -> bool:
        """Return whether no version is known."""
        return not (self.others or self.changed_at or (self.metric and self.metric.readings))

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetimes."""
        return {
            "path": [step.to_json() for step in self.steps],
            "metric": self.metric.to_json() if self.metric else None,
            "next": self.next.to_json(),
            "changed_at": self.changed_at,
        }
