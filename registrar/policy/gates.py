"""What a version must show before it may go to a target; worker/promotions/gates.py says whether it does, and why.

- {metric: rmse, op: "<", threshold: 7}
- {metric: rmse, baseline: "@champion", greater_is_better: false, min_relative_change: 0.01}
- {tags: [dataset_digest]}
- {tags: [bias_report], by: evaluator}
- {max_age: 7d}
- {evaluated_within: 7d}
- {signature: required}

Those of time_gates.py stand among them.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from registrar.events.types.terms import Form
from registrar.policy.base_model import Strict
from registrar.policy.time_gates import Freeze, MaxPerDay, Soak
from registrar.text.duration import Duration
from registrar.text.wording import nearest

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Metric = Annotated[str, Field(min_length=1, max_length=250)]
Reference = Annotated[
    str, Form(r"^@[A-Za-z_][\w-]{0,200}$(?!\n)", 'is no alias such as "@champion", with its @ and in quotes')
]
SourceName = Annotated[str, Field(min_length=1, max_length=64)]
SourceNames = Annotated[
    Annotated[SourceName, Tag("(one)")]
    | Annotated[list[SourceName], Field(min_length=1, max_length=20), Tag("(several)")],
    Discriminator(lambda value: "(several)" if isinstance(value, list) else "(one)"),
]
Origin = Annotated[
    Literal["training", "evaluation"],
    Field(description="whose metric: of the run that trained it, or of the newest evaluation_run.finished"),
]


def named(metric: str, of: str) -> str:
    """As people read it."""
    return metric if of == "training" else f"{metric} (evaluation)"


class Threshold(Strict):
    """A metric of the version's run against a number. One that is missing or not finite fails."""

    metric: Metric
    of: Origin = "training"
    op: Literal["<", "<=", ">", ">="]
    threshold: Annotated[float, Field(allow_inf_nan=False)]

    def __str__(self) -> str:
        return f"{named(self.metric, self.of)} {self.op} {self.threshold:.15g}"


class Comparison(Strict):
    """A metric against that of the version which holds an alias now. The names are MLflow's (mlflow.models.evaluate).

    Without a change asked for, any improvement will do. A holder without the metric fails. Where nobody holds it now,
    who held it last counts; where nobody ever did, when_no_baseline.
    """

    metric: Metric
    of: Origin = "training"
    baseline: Reference
    greater_is_better: bool
    min_absolute_change: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    min_relative_change: Annotated[float, Field(ge=0, allow_inf_nan=False, description="0.01 is 1 %")] = 0
    when_no_baseline: Annotated[
        Literal["pass", "fail"], Field(description="where nobody ever held it; else who held it last is compared with")
    ] = "pass"

    def __str__(self) -> str:
        least = [f"{self.min_absolute_change:g}"] if self.min_absolute_change else []
        least += [f"{self.min_relative_change * 100:g} %"] if self.min_relative_change else []
        return f"{named(self.metric, self.of)} better than {self.baseline}'s" + (
            f" by {' and '.join(least)}" if least else ""
        )


def deciding_metric(gates: Sequence[object]) -> Threshold | Comparison | None:
    """Return the first gate about a metric."""
    return next((gate for gate in gates if isinstance(gate, Threshold | Comparison)), None)


def reads(gate: Threshold | Comparison, text: str) -> bool:
    """Return whether a gate's verdict, which has the gate as text, is about the same metric; the rest may differ."""
    rest = text.removeprefix(f"{named(gate.metric, gate.of)} ")
    return rest != text and (rest.startswith("better than @") or rest.split(" ", 1)[0] in OPERATORS)


def is_greater_better(gate: Threshold | Comparison) -> bool:
    return gate.greater_is_better if isinstance(gate, Comparison) else gate.op.startswith(">")


class RequiredTags(Strict):
    """The version, or its run, has these tags, and they are not empty.

    by: and an event of one of these sources gave them to the version, by the record: not a hand, and not its run.
    """

    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=250)]], Field(min_length=1, max_length=20)]
    by: Annotated[
        SourceNames | None,
        Field(description="sources of this file: the tags count that their events set; else whoever set them"),
    ] = None

    @property
    def sources(self) -> list[str]:
        """[]: whoever set them."""
        return [self.by] if isinstance(self.by, str) else list(self.by or ())

    def __str__(self) -> str:
        return f"tagged {', '.join(self.tags)}" + (f" by {' or '.join(self.sources)}" if self.by else "")


class MaxAge(Strict):
    """The version's run began no longer ago, and not in the future."""

    max_age: Duration

    def __str__(self) -> str:
        return f"trained within {self.max_age}"


class Evaluated(Strict):
    """Its newest evaluation, by evaluation_run.finished, began no longer ago, and not in the future."""

    evaluated_within: Duration

    def __str__(self) -> str:
        return f"evaluated within {self.evaluated_within}"


class Signature(Strict):
    """The model's MLmodel file says what goes in and what comes out."""

    signature: Literal["required"]

    def __str__(self) -> str:
        return "with a signature"


_KEYS = ("baseline", "tags", "max_age", "evaluated_within", "signature", "soak", "freeze", "max_per_day")
_KINDS = ("threshold", *_KEYS)
_EXAMPLES = '{metric: rmse, op: "<", threshold: 7}, {tags: [dataset]}, {max_age: 7d} or {soak: 24h}'


def kind(value: Any) -> str:
    """A gate's, or of what is to be one: the key that only this kind has. What has none is meant as a threshold."""
    keys = value if isinstance(value, dict) else vars(value)
    return next((key for key in _KEYS if key in keys), "threshold")


def _one(value: Any) -> Any:
    """Raises ValueError for what is no gate, or several in one."""
    if not isinstance(value, dict):
        if isinstance(value, Strict):
            return value
        raise ValueError(f"is no gate such as {_EXAMPLES}")
    kinds = [key for key in _KINDS if key in value]
    if len(kinds) > 1:
        each = "; ".join(f"- {{{key}: ...}}" for key in kinds)
        raise ValueError(f"{' and '.join(kinds)} are {len(kinds)} gates; give each an item of its own: {each}")
    if not kinds and not {"metric", "op"} & value.keys() and not _suggest_gate(value):
        raise ValueError(f"is no gate such as {_EXAMPLES}")
    return value


def _suggest_gate(value: dict[Any, Any]) -> str | None:
    """The kind whose key is misspelt in what has no kind's key."""
    near = (nearest(str(key), (*_KINDS, "metric", "op")) for key in value)
    return next((key if key in _KINDS else "threshold" for key in near if key), None)


def _tag(value: Any) -> str:
    """In parentheses: the places of errors name it too, and it is no key of the file."""
    name = kind(value)
    if isinstance(value, dict) and name not in value and "metric" not in value:
        name = _suggest_gate(value) or name
    return f"({name})"


Gate = Annotated[
    Annotated[Threshold, Tag("(threshold)")]
    | Annotated[Comparison, Tag("(baseline)")]
    | Annotated[RequiredTags, Tag("(tags)")]
    | Annotated[MaxAge, Tag("(max_age)")]
    | Annotated[Evaluated, Tag("(evaluated_within)")]
    | Annotated[Signature, Tag("(signature)")]
    | Annotated[Soak, Tag("(soak)")]
    | Annotated[Freeze, Tag("(freeze)")]
    | Annotated[MaxPerDay, Tag("(max_per_day)")],
    Discriminator(_tag),
    BeforeValidator(_one),
]
