"""Who must act next about a model: people whose approval it lacks, an operator, Registrar, a deployment, or nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger.deployments import IN_VAIN, Deployment
from registrar.ledger.disputes import Dispute
from registrar.queries.promotion_view import PromotionView
from registrar.queries.voting import Voter


class Actor(StrEnum):
    """REQUESTER: anybody who may ask for it again."""

    APPROVERS = "approvers"
    REQUESTER = "requester"
    OPERATOR = "operator"
    REGISTRAR = "registrar"
    DEPLOYMENT = "deployment"
    NOBODY = "nobody"


@dataclass(frozen=True)
class NextAct:
    """why: for people, without who. voters: whose approval is lacking, by the rules' groups. at: when Registrar acts
    by itself, or by when the deployment must be confirmed. promotion: its id.
    """

    who: Actor
    why: str = ""
    voters: tuple[Voter, ...] = ()
    at: datetime | None = None
    promotion: str | None = None
    is_stuck: bool = False

    def to_json(self) -> dict[str, Any]:
        """JSON-able but for the datetime."""
        people = [dict(vars(voter)) for voter in self.voters]
        return {"who": str(self.who), "why": self.why, "people": people, "at": self.at, "promotion": self.promotion}


def next_act(
    views: Sequence[PromotionView],
    dispute: Dispute | None,
    deployments: Sequence[Deployment],
    quarantined: Sequence[tuple[int, str]],
) -> NextAct:
    """Return what is next, the most urgent first.

    views: of the open promotions; deployments: the holders' last; quarantined: (version, target) of holders.
    """
    if dispute:
        return NextAct(Actor.OPERATOR, f"must say whether MLflow or the record is right: {dispute.why}")
    asked = [_of_view(view) for view in views]
    order = list(Actor)
    unconfirmed = [_of_deployment(one) for one in deployments if one.state in (*IN_VAIN, DeploymentState.REQUESTED)]
    bad = [
        NextAct(Actor.OPERATOR, f"must look after version {version} in {target}: it is quarantined")
        for version, target in quarantined
    ]
    return min([*asked, *unconfirmed, *bad], key=lambda act: order.index(act.who), default=NextAct(Actor.NOBODY))


def _of_view(view: PromotionView) -> NextAct:
    promotion, voting = view.promotion, view.voting
    about = f"version {promotion.version} to {promotion.target}"
    if view.stale:
        why = f"must ask for {about} again: the policy has changed since"
        return NextAct(Actor.REQUESTER, why, promotion=promotion.id)
    if promotion.state == PromotionState.WAITING:
        return NextAct(Actor.REGISTRAR, f"asks for {about} when its time comes", (), promotion.due_at, promotion.id)
    if promotion.state == PromotionState.APPROVED:
        return NextAct(Actor.REGISTRAR, f"promotes {about}", (), promotion.due_at, promotion.id)
    if voting is None:
        return NextAct(Actor.REQUESTER, f"must ask for {about} again: it needs no approval now", (), None, promotion.id)
    if voting.impossible:
        why = f"the approval of {about} {voting.impossible}"
        return NextAct(Actor.REQUESTER, why, promotion=promotion.id, is_stuck=True)
    lacking = {voter.id: voter for rule in voting.rules if rule.missing for voter in rule.may}
    return NextAct(Actor.APPROVERS, f"{voting.lacks} for {about}", tuple(lacking.values()), None, promotion.id)


def _of_deployment(deployment: Deployment) -> NextAct:
    about = f"version {deployment.version} in {deployment.target}"
    if deployment.state == DeploymentState.REQUESTED:
        where = deployment.environment or deployment.target
        return NextAct(Actor.DEPLOYMENT, f"of {about} to {where} is to be confirmed", at=deployment.due_at)
    how = "failed" if deployment.state == DeploymentState.FAILED else "was not confirmed in time"
    return NextAct(Actor.OPERATOR, f"must look after {about}: its deployment {how}")
