"""What a bench found: a table, what was to be reached, and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """Each row as long as columns; the first cell names it. None: not measured."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Target:
    """claim: what was measured, in words. One of the bounds is given, in the same unit as the figure."""

    claim: str
    figure: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "times"

    @property
    def reached(self) -> bool:
        if self.at_least is not None:
            return self.figure >= self.at_least
        return self.at_most is not None and self.figure <= self.at_most

    @property
    def bound(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g} {self.unit}"
        return f"at most {self.at_most:g} {self.unit}"


@dataclass(frozen=True)
class Plot:
    """series: for each name a figure per tick, None where there is none."""

    title: str
    axis: str
    ticks: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    kind: Literal["bars", "lines"] = "bars"
    logarithmic: bool = False


@dataclass(frozen=True)
class Result:
    """rounds: all figures of all rounds, for the JSON. machine: what the bench knows of it beyond machine.py."""

    table: Table
    targets: Sequence[Target] = ()
    plots: Sequence[Plot] = ()
    rounds: Any = None
    machine: Mapping[str, Any] = field(default_factory=dict)
