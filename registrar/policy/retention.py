"""How long a model's versions are kept. worker/retention/survey.py says of each whether it stays, and why."""

from typing import Annotated

from pydantic import Field

from registrar.policy.base_model import Strict
from registrar.policy.duration import Duration
from registrar.policy.time_gates import Cron


class Retention(Strict):
    """Old versions are marked, and deleted some time later.

    Whatever stands here, these stay: what holds a stage or an alias, what a rollback would go back to, what another
    version was copied from, and what a promotion is open for.
    """

    keep_last: Annotated[int, Field(ge=1, le=1000, description="the newest so many stay, however old they are")]
    older_than: Annotated[Duration, Field(description="only what was registered longer ago may go")]
    grace: Annotated[Duration, Field(description="between being marked and being deleted")] = "7d"
    schedule: Annotated[Cron | None, Field(description="when to prune by itself: cron, in UTC")] = None
    group: Annotated[
        str | None, Field(description="only its members may ask for it; else whoever is granted model.prune")
    ] = None
