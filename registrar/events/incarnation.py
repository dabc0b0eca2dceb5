"""Incarnations of versions: a model that is deleted and created again reuses version numbers."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Incarnation:
    """A version as the registry made it, different from any other with its number.

    created_at: by the registry. source: where its model is. registry: the address at which it was seen.
    """

    model: str
    version: int
    created_at: datetime
    run_id: str | None
    source: str
    registry: str

    def __str__(self) -> str:
        run = f" from run {self.run_id}" if self.run_id else ""
        return f"{self.model} version {self.version}, made on {self.created_at:%Y-%m-%d %H:%M:%S} UTC{run}"

    def same(self, other: "Incarnation") -> bool:
        """Return whether both are one version, at whichever address they were seen: a registry's may change."""
        own = (self.model, self.version, self.created_at, self.run_id)
        return own == (other.model, other.version, other.created_at, other.run_id)
