"""The types of facts, and what each means to people: how bad it is, its icon, and what it does to a promotion.

Chat cards, commit statuses, Apprise and GitHub's deployment gates all read this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Severity = Literal["info", "success", "warning", "failure"]
CommitState = Literal["pending", "success", "failure", "error"]  # GitHub's words


class FactType(StrEnum):
    """Every type of fact that a task can leave behind: a route's outcomes."""

    MODEL_VERSION_REGISTERED = "model_version.registered"
    MODEL_VERSION_HELD_BACK = "model_version.held_back"
    MODEL_VERSION_TRANSITIONED = "model_version.transitioned"
    MODEL_VERSION_ARCHIVED = "model_version.archived"
    MODEL_VERSION_DESCRIBED = "model_version.described"
    MODEL_VERSION_EVALUATED = "model_version.evaluated"
    MODEL_VERSION_MARKED_FOR_DELETION = "model_version.marked_for_deletion"
    MODEL_VERSION_PRUNED = "model_version.pruned"
    MODEL_VERSION_SPARED = "model_version.spared"
    PROMOTION_AWAITING_APPROVAL = "promotion.awaiting_approval"
    PROMOTION_WAITING = "promotion.waiting"
    PROMOTION_REMINDER = "promotion.reminder"
    PROMOTION_ESCALATED = "promotion.escalated"
    PROMOTION_APPROVED = "promotion.approved"
    PROMOTION_BROKE_GLASS = "promotion.broke_glass"
    PROMOTION_REJECTED = "promotion.rejected"
    PROMOTION_CANCELLED = "promotion.cancelled"
    PROMOTION_VOTE_COUNTED = "promotion.vote_counted"
    PROMOTION_VOTE_REFUSED = "promotion.vote_refused"
    PROMOTION_VOID = "promotion.void"
    PROMOTION_SUPERSEDED = "promotion.superseded"
    PROMOTION_EXPIRED = "promotion.expired"
    PROMOTION_FAILED = "promotion.failed"
    TRAINING_RUN_FAILED = "training_run.failed"
    MODEL_ROLLED_BACK = "model.rolled_back"
    MODEL_ADOPTED = "model.adopted"
    QUARANTINE_LIFTED = "quarantine.lifted"
    DEPLOYMENT_REQUESTED = "deployment.requested"
    DEPLOYMENT_SUCCEEDED = "deployment.succeeded"
    DEPLOYMENT_FAILED = "deployment.failed"
    DEPLOYMENT_TIMED_OUT = "deployment.timed_out"
    REGISTRY_CHANGED_BY_HAND = "registry.changed_by_hand"
    REGISTRY_MADE_ANEW = "registry.made_anew"
    REGISTRY_DISPUTED = "registry.disputed"
    REGISTRY_SETTLED = "registry.settled"
    EXPERIMENT_CREATED = "experiment.created"
    ARTIFACTS_FETCHED = "artifacts.fetched"
    TASK_REFUSED = "task.refused"
    TASK_FAILED = "task.failed"
    TASK_DEAD = "task.dead"
    TASK_RETRIED = "task.retried"
    TASK_DROPPED = "task.dropped"
    EVENT_REPLAYED = "event.replayed"


@dataclass(frozen=True)
class FactTraits:
    """What a type of fact means.

    promotion: decided: the request is answered, and the version has not moved yet; promoted: the version has the
    target; ended: it will not get there by this request; None: the promotion, if there is one, goes on.
    commit: the new status of the commit that the version was trained from; None: unchanged. failure: the version was
    found wanting; error: it ended for another reason.
    """

    severity: Severity = "info"
    icon: str = "\N{INFORMATION SOURCE}"
    promotion: Literal["decided", "promoted", "ended"] | None = None
    commit: CommitState | None = None


TRAITS: Mapping[FactType, FactTraits] = {
    FactType.MODEL_VERSION_REGISTERED: FactTraits("success", "\N{PACKAGE}", commit="success"),
    FactType.MODEL_VERSION_HELD_BACK: FactTraits("warning", "\N{NO ENTRY}", promotion="ended", commit="failure"),
    FactType.MODEL_VERSION_TRANSITIONED: FactTraits("success", "\N{ROCKET}", promotion="promoted", commit="success"),
    FactType.MODEL_VERSION_ARCHIVED: FactTraits("info", "\N{CARD FILE BOX}"),
    FactType.MODEL_VERSION_DESCRIBED: FactTraits(),
    FactType.MODEL_VERSION_EVALUATED: FactTraits(),
    FactType.MODEL_VERSION_MARKED_FOR_DELETION: FactTraits(),
    FactType.MODEL_VERSION_PRUNED: FactTraits("info", "\N{BROOM}"),
    FactType.MODEL_VERSION_SPARED: FactTraits(),
    FactType.PROMOTION_AWAITING_APPROVAL: FactTraits("info", "\N{RAISED HAND}", commit="pending"),
    FactType.PROMOTION_WAITING: FactTraits("info", "\N{HOURGLASS WITH FLOWING SAND}", commit="pending"),
    FactType.PROMOTION_REMINDER: FactTraits("info", "\N{BELL}"),
    FactType.PROMOTION_ESCALATED: FactTraits("warning", "\N{UP-POINTING SMALL RED TRIANGLE}"),
    FactType.PROMOTION_APPROVED: FactTraits(
        "success", "\N{WHITE HEAVY CHECK MARK}", promotion="decided", commit="pending"
    ),
    FactType.PROMOTION_BROKE_GLASS: FactTraits(
        "warning", "\N{POLICE CARS REVOLVING LIGHT}", promotion="decided", commit="pending"
    ),
    FactType.PROMOTION_REJECTED: FactTraits("warning", "\N{CROSS MARK}", promotion="ended", commit="failure"),
    FactType.PROMOTION_CANCELLED: FactTraits(
        "info", "\N{LEFTWARDS ARROW WITH HOOK}", promotion="ended", commit="error"
    ),
    FactType.PROMOTION_VOTE_COUNTED: FactTraits(),
    FactType.PROMOTION_VOTE_REFUSED: FactTraits("warning"),
    FactType.PROMOTION_VOID: FactTraits(
        "info", "\N{CLOCKWISE RIGHTWARDS AND LEFTWARDS OPEN CIRCLE ARROWS}", promotion="decided", commit="error"
    ),
    FactType.PROMOTION_SUPERSEDED: FactTraits(
        "info", "\N{BLACK RIGHT-POINTING DOUBLE TRIANGLE}", promotion="ended", commit="error"
    ),
    FactType.PROMOTION_EXPIRED: FactTraits("warning", "\N{HOURGLASS}", promotion="ended", commit="error"),
    FactType.PROMOTION_FAILED: FactTraits("failure", "\N{WARNING SIGN}", promotion="ended", commit="failure"),
    FactType.TRAINING_RUN_FAILED: FactTraits("failure", "\N{WARNING SIGN}", commit="failure"),
    FactType.MODEL_ROLLED_BACK: FactTraits("warning", "\N{BLACK LEFT-POINTING DOUBLE TRIANGLE}"),
    FactType.MODEL_ADOPTED: FactTraits(),
    FactType.QUARANTINE_LIFTED: FactTraits(),
    FactType.DEPLOYMENT_REQUESTED: FactTraits("info", "\N{SATELLITE ANTENNA}"),
    FactType.DEPLOYMENT_SUCCEEDED: FactTraits("success", "\N{LARGE GREEN CIRCLE}", commit="success"),
    FactType.DEPLOYMENT_FAILED: FactTraits("failure", "\N{COLLISION SYMBOL}", commit="failure"),
    FactType.DEPLOYMENT_TIMED_OUT: FactTraits("failure", "\N{ALARM CLOCK}", commit="error"),
    FactType.REGISTRY_CHANGED_BY_HAND: FactTraits("warning", "\N{WAVING HAND SIGN}"),
    FactType.REGISTRY_MADE_ANEW: FactTraits("warning"),
    FactType.REGISTRY_DISPUTED: FactTraits("warning"),
    FactType.REGISTRY_SETTLED: FactTraits(),
    FactType.EXPERIMENT_CREATED: FactTraits(),
    FactType.ARTIFACTS_FETCHED: FactTraits(),
    FactType.TASK_REFUSED: FactTraits("warning", "\N{NO ENTRY}", promotion="ended"),
    FactType.TASK_FAILED: FactTraits("failure", "\N{WARNING SIGN}", promotion="ended", commit="failure"),
    FactType.TASK_DEAD: FactTraits("failure", "\N{POLICE CARS REVOLVING LIGHT}", promotion="ended", commit="error"),
    FactType.TASK_RETRIED: FactTraits(),
    FactType.TASK_DROPPED: FactTraits("info", "\N{WASTEBASKET}", promotion="ended"),
    FactType.EVENT_REPLAYED: FactTraits(),
}


def traits(type_: str) -> FactTraits:
    """Return the traits of a fact's type. A type that only another version of Registrar knows is plain information."""
    return _BY_NAME.get(type_, FactTraits())


_BY_NAME = {str(type_): found for type_, found in TRAITS.items()}
