"""What a version holds: a stage and an alias that go together are one fact, told once."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from registrar.ledger.queries.holdings import Holding

One = TypeVar("One")
A_MOMENT = timedelta(minutes=1)


def place(kind: str, key: str) -> str:
    """Production; @champion"""
    return f"@{key}" if kind == "alias" else key


def alike(found: Iterable[One], same: Callable[[One, One], bool]) -> Sequence[Sequence[One]]:
    """Those that say the same, together, where the first of them was."""
    groups: list[list[One]] = []
    for one in found:
        group = next((group for group in groups if same(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def together(one: datetime | None, other: datetime | None) -> bool:
    """An alias goes with the promotion, and the stage a moment later, when who held it before is archived."""
    return one == other if one is None or other is None else abs(one - other) < A_MOMENT


def same(one: Holding, other: Holding) -> bool:
    return (one.version, one.since) == (other.version, other.since) and together(one.until, other.until)
