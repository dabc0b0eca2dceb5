"""How long to wait before a part that died is started again."""

from dataclasses import dataclass

STEADY = 60.0  # a part that ran for so many seconds had started well
TROUBLED = 5  # so many early deaths in a row, and it is said with the last lines of the log
LONGEST = 60.0


@dataclass(frozen=True)
class Restarts:
    """The early deaths of one part, in a row."""

    early: int = 0

    def after(self, age: float) -> "Restarts":
        """After one more death, at this age in seconds."""
        return Restarts(1 if age >= STEADY else self.early + 1)

    @property
    def pause(self) -> float:
        """Seconds: none the first time, then 1, 2, 4, ... 60."""
        return min(LONGEST, 2.0 ** (self.early - 2)) if self.early > 1 else 0.0

    @property
    def troubled(self) -> bool:
        return self.early >= TROUBLED
