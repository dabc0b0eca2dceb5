"""Events about promotions: requests, votes, cancellations, rollbacks, reviews."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from registrar.events.types.terms import Data, ModelName, OneVersion, Stage, Text, Version


class PromotionRequest(OneVersion):
    """Ask for a version's promotion to a target: its gates are evaluated and, where needed, approvals are requested."""

    type = "promotion.request"
    task = "worker.request"

    target: Stage = Field(description="the stage it should reach")
    reason: Text | None = None


class Vote(OneVersion):
    """A person's decision about an open promotion. `promotion`: the id of one request; without it, the open one."""

    task = "worker.vote"
    pressing = True

    target: Stage = "Production"
    promotion: Annotated[str, StringConstraints(pattern=r"^prm_[0-9a-f]{32}$(?!\n)")] | None = None
    reason: Text | None = None


class PromotionApprove(Vote):
    """Approve an open promotion."""

    type = "promotion.approve"

    break_glass: bool = Field(False, description="alone and at once: members of the policy's break_glass group")


class PromotionReject(Vote):
    """Reject an open promotion."""

    type = "promotion.reject"


class PromotionCancel(Vote):
    """Cancel an open request: for its requester, and for those who may approve it."""

    type = "promotion.cancel"
    task = "worker.cancel"
    pressing = True


class ModelRollback(Data):
    """Go back to the previous holder of a stage, or to an earlier one; the present holder is quarantined."""

    type = "model.rollback"
    task = "worker.rollback"
    pressing = True

    model: ModelName
    target: Literal["Staging", "Production"] = "Production"
    to: Annotated[Version | None, Field(description="an earlier holder; left out: the last one that will do")] = None
    reason: Annotated[Text, Field(min_length=1, description="why; it is shown wherever the version is held back")]


class ModelReview(Data):
    """Do what is due: remind, escalate, expire, resume after a wait. Sent by the scheduler; without effect if early."""

    type = "model.review"
    task = "worker.review"

    model: ModelName
