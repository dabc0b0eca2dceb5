"""Runs all checks at the same time, each in a thread and within a time limit, so that none holds up another."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from registrar import plugins
from registrar.doctor import DoctorContext, Finding, fail
from registrar.policy import installation_check
from registrar.telemetry.redaction import Redactor, known

CHECKS = "registrar.doctor.checks"
SECONDS = 20.0  # for a whole check
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
    "webhook",
    "channels",
    "clocks",
)


@dataclass(frozen=True)
class Line:
    """A finding about a part."""

    part: str
    finding: Finding


def examine(context: DoctorContext, *, seconds: float = SECONDS) -> Iterator[Line]:
    """Yield findings in the order of the parts, as soon as they are known, without the secrets of this installation."""
    redact = Redactor(known(context.settings, context.policy))
    until = time.monotonic() + seconds
    # Import everything before the first thread starts: threads that import each other's modules see them half done.
    installation_check.load_kinds(context.policy)
    checks = {part: plugins.load(CHECKS, part).check for part in sorted(plugins.kinds(CHECKS), key=_position)}
    running = [_Check(part, check, context) for part, check in checks.items()]
    for check in running:
        for finding in check.findings(until, seconds):
            yield Line(check.part, Finding(finding.level, redact(finding.seen), redact(finding.do)))


def _position(part: str) -> tuple[int, str]:
    return (_ORDER.index(part) if part in _ORDER else len(_ORDER), part)


class _Check:
    """A check that runs in its own thread."""

    def __init__(self, part: str, check: Callable[[DoctorContext], Iterator[Finding]], context: DoctorContext) -> None:
        self.part = part
        self._check = check
        self._findings: list[Finding] = []
        self._thread = threading.Thread(target=self._run, args=(context,), name=f"doctor {part}", daemon=True)
        self._thread.start()

    def findings(self, until: float, seconds: float) -> list[Finding]:
        self._thread.join(max(0.0, until - time.monotonic()))
        if not self._thread.is_alive():
            return self._findings
        late = fail(f"the check did not end within {seconds:g} s", "Look for a server that connects and never answers")
        return [*self._findings, late]

    def _run(self, context: DoctorContext) -> None:
        try:
            for finding in self._check(context):
                self._findings.append(finding)
        except Exception as error:  # noqa: BLE001 (a check that breaks becomes a finding, and the others go on)
            problem = f"the check itself failed: {type(error).__name__}: {error}"
            self._findings.append(fail(problem, "This is a bug in Registrar: please report it with this line"))
