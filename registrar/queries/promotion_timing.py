"""The time gates of an open promotion, and its deadlines: for pages, API and CLI, by the record and the policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from registrar.events.states import PromotionState
from registrar.ledger.promotions import Promotion
from registrar.policy import Policy, Target
from registrar.policy.closed_time_gates import Times, closed_time_gates
from registrar.policy.time_gates import Soak, Timing
from registrar.queries.deadlines import due_times
from registrar.queries.voting import approval_of
from registrar.text.duration import length

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_DEADLINES = {"expire": "It expires", "escalate": "It is escalated", "remind": "The approvers are reminded"}


@dataclass(frozen=True)
class TimeGate:
    """A time gate of the policy. until: when it opens, and `reason` why it is closed; None: it is open."""

    gate: str
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Deadline:
    """What happens to an open promotion by itself, and when. text: the beginning of a sentence."""

    name: str
    text: str
    at: datetime


def has_time_gates(target: Target | None) -> bool:
    return target is not None and any(isinstance(gate, Timing) for gate in target.gates)


def time_gates(
    policy: Policy, promotion: Promotion, target: Target, promoted: Sequence[datetime], *, at: datetime
) -> list[TimeGate]:
    """Return the target's time gates in their order. promoted: when versions came to the target, newest first.

    A soak counts from when the version came to its stage: a promotion that waits has its end, any other is past it.
    """
    model = policy.model(promotion.model)
    times = Times(at, " or ".join(model.sources_of(target)), _in_stage_since(promotion, target), promoted)
    found = []
    for gate in target.gates:
        if isinstance(gate, Timing):
            closed = next(iter(closed_time_gates([gate], times)), None)
            found.append(TimeGate(str(gate), closed.until, closed.reason) if closed else TimeGate(str(gate)))
    return found


def _in_stage_since(promotion: Promotion, target: Target) -> datetime:
    soaks = [length(gate.soak) for gate in target.gates if isinstance(gate, Soak)]
    if promotion.state != PromotionState.WAITING or promotion.due_at is None or not soaks:
        return _LONG_AGO
    return promotion.due_at - max(soaks)


def deadlines(policy: Policy, promotion: Promotion) -> list[Deadline]:
    """Return what comes by itself while nobody decides, the next first."""
    times = due_times(promotion, approval_of(policy, promotion)) if promotion.open else {}
    found = [Deadline(name, _DEADLINES[name], at) for name, at in times.items() if name in _DEADLINES]
    return sorted(found, key=lambda each: each.at)
