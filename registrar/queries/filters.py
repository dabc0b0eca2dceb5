"""What a list is restricted to, and the words of its states.

Apart from the ledger's queries, so that a client of /v1 does not load SQLAlchemy.
"""

from dataclasses import dataclass
from datetime import datetime

from registrar.events.states import STAGES, EventState, PromotionState, TaskState

EVENT_STATES = tuple(state.value for state in EventState)
PROMOTION_STATES = tuple(PromotionState)
DEAD_STATES = (TaskState.FAILED, TaskState.DEAD)  # of a dead letter
WELL = "alive"  # of a process
OPEN = "open"  # the first three of these
DECIDED = "decided"  # the others
PROMOTION_LISTS = (OPEN, DECIDED, *PROMOTION_STATES)


@dataclass(frozen=True)
class EventFilter:
    """None: any. actor: an id, such as ada or source:ci. state: one of EVENT_STATES.

    since, until: accepted in [since, until).
    """

    source: str | None = None
    type: str | None = None
    model: str | None = None
    actor: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class HistoryFilter:
    """Select a part of a model's history; None: no restriction.

    target: a stage, in any case, or @alias. at: holdings open at that time. since, until: holdings open at any time in
    [since, until).
    """

    target: str | None = None
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def place(self) -> tuple[str, str] | None:
        """(kind, key) of the target; None where it is neither a stage nor an @alias."""
        target = self.target or ""
        if target.startswith("@"):
            return "alias", target[1:]
        return next((("stage", stage) for stage in STAGES if stage.lower() == target.lower()), None)


ALL = HistoryFilter()
