"""The way of one promotion in steps, each with its state: for pages, API and CLI. Only steps that its target has.

Read from the record: what the policy of that time had is seen where a step was taken, and the policy in effect says
which steps are to come.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger.promotions import Promotion
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.promotion_results import PromotionResult
from registrar.policy import Target
from registrar.policy.approvals import Approval


class StepState(StrEnum):
    DONE = "done"
    NOW = "now"
    FAILED = "failed"
    STOPPED = "stopped"  # it ended here, by no fault of its own: cancelled, superseded
    WAITING = "waiting"
    NOT_REACHED = "not_reached"


class StepName(StrEnum):
    REQUESTED = "requested"
    CHECKED = "checked"  # the version's files and run were looked at
    GATES = "gates"
    VOTES = "votes"
    MOVED = "moved"
    DEPLOYED = "deployed"
    HELD = "held"  # since the version came to the target


@dataclass(frozen=True)
class Step:
    """at: when it was done, failed or stopped; of one that is done now, when it ends by itself, if that is known."""

    name: StepName
    state: StepState
    at: datetime | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the time."""
        return {"name": str(self.name), "state": str(self.state), "at": self.at, "detail": self.detail}


@dataclass(frozen=True)
class Past:
    """What the record has of a promotion. target: of the policy in effect; None: it has none any more.

    same_policy: the policy of its evidence is in effect. asked: approvers were asked. approved_at: when its rules were
    met. agreed, decided_by: names. tally: (given, required) approvals, where the rules are known. stuck: why the rules
    can't be met any more.
    """

    promotion: Promotion
    target: Target | None
    same_policy: bool
    requested_by: str
    asked: bool
    approved_at: datetime | None
    agreed: tuple[str, ...]
    decided_by: str
    tally: tuple[int, int] | None
    became: PromotionResult
    holding: Holding | None
    stuck: str = ""

    @property
    def needs_votes(self) -> bool:
        """Whether people are, or were, asked."""
        takes_approval = self.target is not None and isinstance(self.target.approval, Approval)
        return bool(self.agreed) or (takes_approval if self.promotion.open else self.asked)


_ENDED_BY_VOTES = (PromotionState.REJECTED, PromotionState.EXPIRED)
_NO_FAULT = (PromotionState.CANCELLED, PromotionState.SUPERSEDED)


def steps(past: Past) -> list[Step]:
    """Return the steps of a promotion, in their order."""
    found = list(_steps(past))
    if past.promotion.open or past.promotion.state == PromotionState.PROMOTED:
        return found
    end = next((nth for nth, step in enumerate(found) if step.name == _end(past)), len(found))
    return [_after_end(past, step, nth - end) for nth, step in enumerate(found)]


def _after_end(past: Past, step: Step, distance: int) -> Step:
    """Return a step of a promotion that ended without success. distance: from the step where it ended."""
    if distance < 0:
        return step
    if distance > 0:
        return Step(step.name, StepState.NOT_REACHED)
    promotion = past.promotion
    state = StepState.STOPPED if promotion.state in _NO_FAULT else StepState.FAILED
    by = f" by {past.decided_by}" if past.decided_by else ""
    return Step(step.name, state, promotion.decided_at, f"{promotion.state}{by}")


def _end(past: Past) -> StepName:
    """Return the step at which a promotion ended without success."""
    if past.promotion.state in _ENDED_BY_VOTES:
        return StepName.VOTES
    if past.approved_at or (past.promotion.due_at is None and not past.needs_votes):
        return StepName.MOVED
    return StepName.VOTES if past.asked else StepName.GATES


def _steps(past: Past) -> Iterator[Step]:
    """Yield the steps as far as the promotion's state tells; where it ended is for `steps`."""
    promotion, evidence = past.promotion, past.promotion.evidence
    yield Step(StepName.REQUESTED, StepState.DONE, promotion.created_at, f"by {past.requested_by}")
    if evidence.get("model_digest"):
        yield Step(StepName.CHECKED, StepState.DONE, detail=_checked(evidence))
    if evidence.get("gates") or (past.target and past.target.gates):
        yield _gates(past)
    if past.needs_votes or promotion.state in _ENDED_BY_VOTES:
        yield _votes(past)
    yield _moved(past)
    if deployed := _deployed(past):
        yield deployed
    if held := _held(past):
        yield held


def _checked(evidence: Mapping[str, Any]) -> str:
    return "files and run" if evidence.get("run_id") else "files"


def _gates(past: Past) -> Step:
    gates = past.promotion.evidence.get("gates") or ()
    passed = sum(1 for gate in gates if gate["passed"])
    counted = f"{passed} of {len(gates)} passed" if gates else ""
    if past.promotion.state == PromotionState.WAITING:
        return Step(StepName.GATES, StepState.NOW, past.promotion.due_at, counted)
    return Step(StepName.GATES, StepState.DONE, detail=counted)


def _votes(past: Past) -> Step:
    promotion = past.promotion
    counted = f"{past.tally[0]} of {past.tally[1]}" if past.tally else ""
    if promotion.broke_glass:
        return Step(StepName.VOTES, StepState.DONE, past.approved_at, "glass broken")
    match promotion.state:
        case PromotionState.WAITING:
            return Step(StepName.VOTES, StepState.WAITING, detail=counted)
        case PromotionState.AWAITING_APPROVAL:
            return Step(StepName.VOTES, StepState.NOW, detail="stuck" if past.stuck else counted)
    return Step(StepName.VOTES, StepState.DONE, past.approved_at, ", ".join(past.agreed) or counted)


def _moved(past: Past) -> Step:
    promotion = past.promotion
    if promotion.state == PromotionState.PROMOTED:
        return Step(StepName.MOVED, StepState.DONE, promotion.decided_at)
    if promotion.state == PromotionState.APPROVED:
        return Step(StepName.MOVED, StepState.NOW, promotion.due_at)
    return Step(StepName.MOVED, StepState.WAITING)


_DEPLOYMENTS = {
    DeploymentState.LIVE: StepState.DONE,
    DeploymentState.FAILED: StepState.FAILED,
    DeploymentState.TIMED_OUT: StepState.FAILED,
    DeploymentState.SUPERSEDED: StepState.STOPPED,
}


def _deployed(past: Past) -> Step | None:
    """None: its target asks for no deployment, or none is known of it."""
    deploy, deployment = past.target.deploy if past.target else None, past.became.deployment
    if deployment:
        state = _DEPLOYMENTS.get(DeploymentState(deployment.state), StepState.NOW)
        at = deployment.due_at if state == StepState.NOW else deployment.ended_at
        return Step(StepName.DEPLOYED, state, at, deployment.state.replace("_", " "))
    if past.promotion.state != PromotionState.PROMOTED:
        return Step(StepName.DEPLOYED, StepState.WAITING) if deploy else None
    is_unconfirmed = deploy is not None and deploy.confirm_within is None and past.same_policy
    return Step(StepName.DEPLOYED, StepState.DONE, past.promotion.decided_at, "unconfirmed") if is_unconfirmed else None


def _held(past: Past) -> Step | None:
    """None: it was promoted, and the record has no holding of it."""
    became, holding = past.became, past.holding
    if past.promotion.state != PromotionState.PROMOTED:
        return Step(StepName.HELD, StepState.WAITING)
    if became.rolled_back_at:
        return Step(StepName.HELD, StepState.FAILED, became.rolled_back_at, "rolled back")
    if became.quarantined:
        return Step(StepName.HELD, StepState.FAILED, detail="quarantined")
    if holding is None:
        return None
    if holding.until:
        return Step(StepName.HELD, StepState.DONE, holding.until, "left")
    return Step(StepName.HELD, StepState.NOW, holding.since, "holds it")
