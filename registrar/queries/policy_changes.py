"""What changed of a model's policy between two digests: lines, as of a text that people compare."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from registrar.policy import Policy

_AROUND = 3  # unchanged lines before and after a change


@dataclass(frozen=True)
class Line:
    kind: Literal["same", "removed", "added", "gap"]
    text: str


@dataclass(frozen=True)
class PolicyChange:
    """then, now: digests. lines: None where the record has no text of `then`."""

    then: str
    now: str
    lines: tuple[Line, ...] | None


def policy_change(policy: Policy, model: str, then: str, bound: dict[str, Any] | None) -> PolicyChange | None:
    """Return what changed of a model's policy since a digest; None: nothing. bound: the text of the digest
    (policy_view.bound).
    """
    now = policy.digest(model)
    if then == now:
        return None
    return PolicyChange(then, now, tuple(_lines(bound["text"], policy.bound(model))) if bound else None)


def _lines(then: str, now: str) -> Iterator[Line]:
    """then, now: as Policy.bound writes them."""
    differences = difflib.unified_diff(_written(then), _written(now), lineterm="", n=_AROUND)
    for line in list(differences)[2:]:  # after the names of the files
        match line[:1]:
            case "@":
                yield Line("gap", "")
            case "-":
                yield Line("removed", line[1:])
            case "+":
                yield Line("added", line[1:])
            case _:
                yield Line("same", line[1:])


def _written(text: str) -> list[str]:
    """Return a policy as the lines of YAML that registrar.yml would have, without what has no value."""
    rules, groups = json.loads(text)
    written = yaml.safe_dump(_filled({**rules, "groups": groups}), sort_keys=False, allow_unicode=True, width=100)
    return str(written).splitlines()


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each) for name, each in value.items() if each is not None}
    return [_filled(each) for each in value] if isinstance(value, list) else value
