"""What goes wrong, at a moment of one's choice: a cut line, a worker that dies, one that sleeps past its lease."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from registrar.ledger import Ledger, LedgerUnavailable, engine
from registrar.plugins import kinds, load
from worker.registry.protocol import AmbiguousError, Registry, RetryableError


class Died(BaseException):
    """The worker's process is gone: no handler of its own runs."""


class Clock:
    """The time of one example. It moves a little at each look, and as far as it is told."""

    def __init__(self) -> None:
        self.start_again()

    def start_again(self) -> None:
        """At noon: an example may count on the hour of the day."""
        self._now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self._served = 0

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def of_mlflow(self) -> int:
        """In milliseconds, as MLflow's own: no two changes have the same, and nobody sets it back."""
        self._served = max(self._served + 1, int(self().timestamp() * 1000))
        return self._served

    def forward(self, **how: float) -> None:
        self._now += timedelta(**how)

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """In place of the ledger's clock, in whichever module it is known."""
        for verb in kinds("worker.actions"):
            load("worker.actions", verb)
        real = engine.now
        changed = [module for module in list(sys.modules.values()) if module and vars(module).get("now") is real]
        for module in changed:
            module.now = self  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for module in changed:
                module.now = real  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Fault:
    """how: cut, broken, died, asleep or meanwhile. where: at a call of the registry or a write of the ledger. calls:
    that come first. done: it strikes after the call, which has had its effect.
    """

    how: str
    where: str
    calls: int
    done: bool


class Trouble:
    """One fault at most. struck counts them. sleep: what others do while a worker sleeps past its lease. meanwhile:
    what somebody does between two steps.
    """

    def __init__(self) -> None:
        self.armed: Fault | None = None
        self.struck: Counter[str] = Counter()
        self.sleep: Callable[[], None] = lambda: None
        self.meanwhile: Callable[[], None] = lambda: None
        self._calls = 0

    def arm(self, fault: Fault) -> None:
        self.armed, self._calls = fault, 0

    @contextmanager
    def around(self, where: str) -> Iterator[None]:
        fault = self._now_due(where)
        if fault and not fault.done:
            self._strike(fault)
        yield
        if fault and fault.done:
            self._strike(fault)

    def _now_due(self, where: str) -> Fault | None:
        fault = self.armed
        if fault is None or fault.where != where or threading.current_thread() is not threading.main_thread():
            return None
        self._calls += 1
        if self._calls <= fault.calls:
            return None
        self.armed = None
        return fault

    def _strike(self, fault: Fault) -> None:
        self.struck[f"{fault.how} {'after' if fault.done else 'before'} a call of the {fault.where}"] += 1
        match fault.how, fault.where:
            case "asleep", _:
                self.sleep()
            case "meanwhile", _:
                self.meanwhile()
            case "died", _:
                raise Died
            case _, "ledger":
                raise LedgerUnavailable("the line is cut")
            case "broken", _:
                raise AmbiguousError("the other side broke")
            case _:
                raise RetryableError("the line is cut")


class FrailLedger(Ledger):
    """A ledger whose writes meet trouble: before they begin, or after their commit."""

    def __init__(self, url: str, trouble: Trouble) -> None:
        super().__init__(url)
        self._trouble = trouble

    @contextmanager
    def write(self) -> Iterator[Any]:
        with self._trouble.around("ledger"), super().write() as connection:
            yield connection


class FrailDoor:
    """A registry whose calls meet trouble. before: what is wrong with a call; did: told of that, once it is done."""

    def __init__(
        self, inner: Any, trouble: Trouble, before: Callable[..., str | None], did: Callable[..., None]
    ) -> None:
        self._inner, self._trouble, self._before, self._did = inner, trouble, before, did
        self.address = inner.address

    def guarded(self, before_write: Callable[[], None]) -> Registry:
        view: Any = FrailDoor(self._inner.guarded(before_write), self._trouble, self._before, self._did)
        return view

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def through(*given: Any, **named: Any) -> Any:
            with self._trouble.around("registry"):
                complaint = self._before(call, *given)
                came = getattr(self._inner, call)(*given, **named)
                self._did(complaint, call, *given, came=came)
            return came

        return through
