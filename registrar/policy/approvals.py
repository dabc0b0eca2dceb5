"""Who must agree before a version may go to a target, and what becomes of a request that nobody answers."""

from typing import Annotated, Literal

from pydantic import Field

from registrar.policy.base_model import Strict
from registrar.policy.duration import Duration


class Rule(Strict):
    """So many different members of a group must approve."""

    group: str
    required_approvals: Annotated[int, Field(ge=1, le=20)] = 1


class BreakGlass(Strict):
    """Members of a group who may approve alone, at any time, with a reason; it is flagged wherever it shows."""

    group: str


class Escalation(Strict):
    """Whom to tell when nobody decided for so long."""

    after: Duration
    to: Annotated[list[str], Field(min_length=1, description="channels of this file")]


class Approval(Strict):
    """All rules must be met, and a person counts for one of them.

    exclude: who may not approve: whoever asked for it; whoever trained it, as bound when it was registered, known
    by the account `mlflow` of people.
    """

    rules: Annotated[list[Rule], Field(min_length=1, max_length=10)]
    exclude: list[Literal["requester", "author"]] = []
    reject_reason: Literal["optional", "required"] = "optional"
    expires_after: Annotated[Duration | None, Field(description="then it must be asked for again")] = None
    remind_every: Annotated[Duration | None, Field(description="it is told again while nobody decides")] = None
    escalate: Escalation | None = None
    on_newer_candidate: Annotated[
        Literal["supersede", "keep"], Field(description="what becomes of an open request when a newer version asks")
    ] = "supersede"
    break_glass: BreakGlass | None = None

    @property
    def groups(self) -> list[str]:
        return [rule.group for rule in self.rules]
