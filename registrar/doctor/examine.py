"""Looks at all parts at once, each for a bounded time; what one check can't do keeps no other from being done."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from registrar import plugins
from registrar.doctor import DoctorContext, Finding, fail
from registrar.policy import installation_check
from registrar.telemetry.redaction import Redactor, known

CHECKS = "registrar.doctor.checks"
SECONDS = 20.0  # for one check, all its questions together
_ORDER = (
    "config",
    "secrets",
    "ledger",
    "broker",
    "receiver",
    "access",
    "provider",
    "work",
    "mlflow",
    "channels",
    "clocks",
)


@dataclass(frozen=True)
class Line:
    """A finding, and the part that it is about."""

    part: str
    finding: Finding


def examine(site: DoctorContext, *, seconds: float = SECONDS) -> Iterator[Line]:
    """In the order of the parts, each as soon as it is known. No line holds a secret that is known here."""
    redact = Redactor(known(site.settings, site.policy))
    until = time.monotonic() + seconds
    # All is imported before a thread is started: two that import what needs each other see halves of it.
    installation_check.load_kinds(site.policy)
    looks = {part: plugins.load(CHECKS, part).look for part in sorted(plugins.kinds(CHECKS), key=_place)}
    running = [_Check(part, look, site) for part, look in looks.items()]
    for check in running:
        for finding in check.findings(until, seconds):
            yield Line(check.part, Finding(finding.level, redact(finding.seen), redact(finding.do)))


def _place(part: str) -> tuple[int, str]:
    return (_ORDER.index(part) if part in _ORDER else len(_ORDER), part)


class _Check:
    """One part, looked at in a thread of its own."""

    def __init__(self, part: str, look: Callable[[DoctorContext], Iterator[Finding]], site: DoctorContext) -> None:
        self.part = part
        self._look = look
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._run, args=(site,), name=f"doctor {part}", daemon=True)
        self._thread.start()

    def findings(self, until: float, seconds: float) -> list[Finding]:
        self._thread.join(max(0.0, until - time.monotonic()))
        if not self._thread.is_alive():
            return self._found
        late = fail(f"it was not answered within {seconds:g} s", "Something takes connections and says nothing")
        return [*self._found, late]

    def _run(self, site: DoctorContext) -> None:
        try:
            for finding in self._look(site):
                self._found.append(finding)
        except Exception as error:  # noqa: BLE001 (a check that breaks is a finding, and no end of the others)
            said = f"the check itself broke: {type(error).__name__}: {error}"
            self._found.append(fail(said, "That is a mistake in Registrar: please report it with this line"))
