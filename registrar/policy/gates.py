"""What a version must show before it may go to a target. worker/gates.py says of each whether it does, and why.

- {metric: rmse, op: "<", threshold: 7}
- {metric: rmse, baseline: "@champion", greater_is_better: false, min_relative_change: 0.01}
- {tags: [dataset_digest]}
- {max_age: 7d}
"""

import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from registrar.policy.strict import Strict

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Metric = Annotated[str, Field(min_length=1, max_length=250)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[mhd]$(?!\n)")]
Reference = Annotated[str, StringConstraints(pattern=r"^@[A-Za-z_][\w-]{0,200}$(?!\n)")]


def length(duration: str) -> timedelta:
    """Of 30m, 12h, 7d."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


class Threshold(Strict):
    """A metric of the version's run against a number. A missing or NaN metric fails."""

    metric: Metric
    op: Literal["<", "<=", ">", ">="]
    threshold: float

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {self.threshold:g}"


class Comparison(Strict):
    """A metric against that of the version which holds an alias now. The names are MLflow's (mlflow.models.evaluate).

    Without a change asked for, any improvement will do. A holder without the metric fails; no holder at all is
    when_no_baseline.
    """

    metric: Metric
    baseline: Reference
    greater_is_better: bool
    min_absolute_change: Annotated[float, Field(ge=0)] = 0
    min_relative_change: Annotated[float, Field(ge=0, description="0.01 is 1 %")] = 0
    when_no_baseline: Literal["pass", "fail"] = "pass"

    def __str__(self) -> str:
        least = [f"{self.min_absolute_change:g}"] if self.min_absolute_change else []
        least += [f"{self.min_relative_change * 100:g} %"] if self.min_relative_change else []
        return f"{self.metric} better than {self.baseline}'s" + (f" by {' and '.join(least)}" if least else "")


class RequiredTags(Strict):
    """The version, or its run, has these tags, and they are not empty."""

    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=250)]], Field(min_length=1, max_length=20)]

    def __str__(self) -> str:
        return f"tagged {', '.join(self.tags)}"


class MaxAge(Strict):
    """The version's run began no longer ago."""

    max_age: Duration

    def __str__(self) -> str:
        return f"trained within {self.max_age}"


def _kind(given: Any) -> str:
    """By the key that only this kind has; what has none is meant as a threshold."""
    keys = given if isinstance(given, dict) else vars(given)
    return next((key for key in ("baseline", "tags", "max_age") if key in keys), "threshold")


Gate = Annotated[
    Annotated[Threshold, Tag("threshold")]
    | Annotated[Comparison, Tag("baseline")]
    | Annotated[RequiredTags, Tag("tags")]
    | Annotated[MaxAge, Tag("max_age")],
    Discriminator(_kind),
]
