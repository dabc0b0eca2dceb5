"""What a run of benches is told on its command line."""

from collections.abc import Sequence
from dataclasses import dataclass

LEDGERS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Options:
    """ledgers: those to measure on. rounds: medians are of so many. seconds: of load, each time.

    installs: also what needs the package index. events: of what counts events, so many; None: as many as it wants.
    """

    ledgers: Sequence[str] = LEDGERS
    rounds: int = 5
    seconds: float = 5.0
    installs: bool = False
    events: int | None = None
