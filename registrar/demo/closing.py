"""How the demo ends: what was shown and what to try next, or what went wrong and where to look."""

import shlex
import shutil
import sys
from pathlib import Path

from registrar.demo.expect import Unexpected
from registrar.demo.registry import Version
from registrar.demo.scene import MODEL
from registrar.demo.screen import Screen
from registrar.local import Addresses


def passed(screen: Screen, at: Addresses, promoted: Version, *, data: Path, stays: bool) -> None:
    screen.heading(f"Passed: {MODEL} {promoted} by a signed event and one approval")
    if not stays:
        return
    screen.facts(
        {
            "MLflow": f"{at.mlflow_url}/#/models/{MODEL}",
            "receiver": f"{at.receiver_url}/webhooks/ci and /webhooks/slack",
            "policy": str(data / "demo" / "registrar.yml"),
            "logs": str(data / "logs"),
        }
    )
    screen.heading("Try, in another terminal")
    for command in _to_try(promoted):
        screen.saw(f"{_program()} --data {shlex.quote(str(data))} {command}")
    screen.heading("All parts stay up, and are restarted if they die. Ctrl-C stops them")


def failed(screen: Screen, error: Exception, *, logs: Path) -> None:
    if isinstance(error, Unexpected):
        log = logs / f"{error.look_at}.log"
        screen.failure([f"expected  {error.expected}", f"saw       {error.seen}", f"look at   {log}"])
    else:
        screen.failure([str(error), f"look at   {logs}"])


def _program() -> str:
    """What starts this very command line from a terminal."""
    started = sys.argv[0]
    if shutil.which("registrar") or Path(started).name != "registrar":
        return "registrar"
    return shlex.quote(started)


def _to_try(promoted: Version) -> list[str]:
    one = f"model={MODEL} version={promoted.number}"
    return [
        f"versions {MODEL}",
        "events",
        f"send model_version.describe {one} tags.team=taxi --wait",
        f"send model_version.archive {one} reason='it is only a demo' --wait",
        f"send model_version.transition model={MODEL} version=1 stage=Staging --wait   # its gate says no",
    ]
