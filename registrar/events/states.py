"""The states of tasks, promotions and deployments, as the ledger stores them and /v1 returns them."""

from enum import StrEnum

STAGES = ("None", "Staging", "Production", "Archived")  # MLflow's


class TaskState(StrEnum):
    """Queued and running tasks are open; a failed or dead one is a dead letter."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"  # not allowed, or not possible
    FAILED = "failed"  # by an error that no retry would cure
    DEAD = "dead"  # after its last retry
    DROPPED = "dropped"  # by a person


class PromotionState(StrEnum):
    """The first three are open."""

    WAITING = "waiting"  # for a time gate: soak, freeze, max_per_day
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    FAILED = "failed"


class DeploymentState(StrEnum):
    """A requested deployment is open."""

    REQUESTED = "requested"
    LIVE = "live"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SUPERSEDED = "superseded"


class EventState(StrEnum):
    """The worst state of an event's tasks, or unfinished while one of them is open."""

    UNFINISHED = "unfinished"
    SUCCEEDED = TaskState.SUCCEEDED
    REFUSED = TaskState.REFUSED
    DROPPED = TaskState.DROPPED
    FAILED = TaskState.FAILED
    DEAD = TaskState.DEAD
