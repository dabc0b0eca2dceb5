"""Events about promotions: asked for, decided, taken back, looked at again."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from registrar.events.types.terms import Data, ModelName, OneVersion, Stage, Text, Version


class PromotionRequest(OneVersion):
    """Ask that a version be tried against a target's gates and, where needed, be approved."""

    type = "promotion.request"
    task = "worker.request"

    target: Stage = Field(description="the stage it should reach")
    reason: Text | None = None


class Vote(OneVersion):
    """A person's word on an open promotion. `promotion` pins one request; without it, the open one is meant."""

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
    """Take an open request back: by whoever asked, or whoever may approve."""

    type = "promotion.cancel"
    task = "worker.cancel"
    pressing = True


class ModelRollback(Data):
    """Back to the version that held the stage before, or to an earlier holder; the one there now is quarantined."""

    type = "model.rollback"
    task = "worker.rollback"
    pressing = True

    model: ModelName
    target: Literal["Staging", "Production"] = "Production"
    to: Annotated[Version | None, Field(description="an earlier holder; left out: the last one that will do")] = None
    reason: Annotated[Text, Field(min_length=1, description="why; it is shown wherever the version is held back")]


class ModelReview(Data):
    """Do what is due: remind, escalate, expire, go on after a wait. The timer sends it; sent early, it does nothing."""

    type = "model.review"
    task = "worker.review"

    model: ModelName
