"""How a step of the demo says that something was not as it should be, and waits for it no longer than it may."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from registrar.demo import chat_system, ci
from registrar.demo.chat_system import Chat, Message
from registrar.demo.screen import Screen

T = TypeVar("T")

PATIENCE = 120.0  # seconds; more than a worker's lease (30 s) and the sweep that finds it expired
PAUSE = 0.3


class Unexpected(RuntimeError):
    """A step of the demo did not see what it should. look_at: the log that would tell why."""

    def __init__(self, *, expected: str, seen: object, look_at: str = "worker") -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected, self.seen, self.look_at = expected, seen, look_at


def expect(holds: bool, expected: str, *, seen: object, look_at: str = "worker") -> None:
    """Raises Unexpected unless it holds."""
    if not holds:
        raise Unexpected(expected=expected, seen=seen, look_at=look_at)


def eventually(
    look: Callable[[], T],
    holds: Callable[[T], bool],
    expected: str,
    *,
    look_at: str = "worker",
    seconds: float = PATIENCE,
) -> T:
    """Looks until it holds, and returns what was seen then. A server that does not answer is asked again.

    Raises Unexpected with the last that was seen, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen: T | requests.RequestException
        try:
            if holds(seen := look()):
                return seen
        except requests.RequestException as error:
            seen = error
        if time.monotonic() > deadline:
            raise Unexpected(expected=f"{expected} within {seconds:g} s", seen=seen, look_at=look_at)
        time.sleep(PAUSE)


TIMEOUT = 10


@dataclass(frozen=True)
class Version:
    """One model version as MLflow tells it."""

    number: int
    stage: str
    aliases: tuple[str, ...]
    description: str
    run_id: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        """version 2 (Staging, @challenger)."""
        return f"version {self.number} ({', '.join([self.stage, *(f'@{alias}' for alias in self.aliases)])})"


@dataclass(frozen=True)
class Registry:
    """One registered model of an MLflow server. Everything raises requests.RequestException."""

    url: str
    model: str

    def versions(self) -> list[Version]:
        """The newest hundred, oldest first; none where the model is not registered yet."""
        query = {"filter": f"name='{self.model}'", "max_results": 100, "order_by": ["version_number DESC"]}
        found = self._get("model-versions/search", query).get("model_versions", [])
        aliases = self._aliases() if found else {}
        return sorted((_version(row, aliases) for row in found), key=lambda version: version.number)

    def of_run(self, run_id: str) -> list[Version]:
        """The versions that were made of a run."""
        return [version for version in self.versions() if version.run_id == run_id]

    def logged(self, run_id: str) -> list[str]:
        """What a run holds: its parameters, metrics and artifacts by name, one folder deep."""
        data = self._get("runs/get", {"run_id": run_id})["run"]["data"]
        files = [path for folder in ("model", "extra_artifacts") for path in self._artifacts(run_id, folder)]
        return [*(row["key"] for kind in ("params", "metrics") for row in data.get(kind, [])), *files]

    def _artifacts(self, run_id: str, folder: str) -> list[str]:
        found = self._get("artifacts/list", {"run_id": run_id, "path": folder}).get("files", [])
        return [row["path"] for row in found]

    def holders(self, stage: str) -> list[Version]:
        """The versions in a stage."""
        return [version for version in self.versions() if version.stage == stage]

    def _aliases(self) -> dict[str, int]:
        """Version searches leave the aliases out; the model has them."""
        model = self._get("registered-models/get", {"name": self.model})["registered_model"]
        return {row["alias"]: int(row["version"]) for row in model.get("aliases", [])}

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/2.0/mlflow/{path}", params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def _version(row: Mapping[str, Any], aliases: Mapping[str, int]) -> Version:
    number = int(row["version"])
    return Version(
        number=number,
        stage=row["current_stage"],
        aliases=tuple(sorted(alias for alias, holder in aliases.items() if holder == number)),
        description=row.get("description", ""),
        run_id=row.get("run_id", ""),
        tags={tag["key"]: tag["value"] for tag in row.get("tags", [])},
    )


MODEL = "nyc-taxi-regressor"


@dataclass(frozen=True)
class Scene:
    """environment: for commands run in a process of their own. interrupt: called right after the events were taken."""

    data: Path
    environment: Mapping[str, str]
    screen: Screen
    registry: Registry
    pipeline: ci.Pipeline
    slack: chat_system.Slack
    chat: Chat
    interrupt: Callable[[], None]

    def only_version(self, run: ci.Run) -> Version:
        """The one version made of a run. Raises Unexpected if there are several, or none."""
        found = self.registry.of_run(run.run_id)
        expect(len(found) == 1, f"exactly one version of run {run.run_id}", seen=[str(v) for v in found])
        return found[0]

    def now(self, version: Version) -> Version:
        """The same version as the registry has it now."""
        return next(found for found in self.registry.versions() if found.number == version.number)

    def message(self, wanted: Callable[[Message], bool], expected: str) -> Message:
        """The newest such message, once it is there. Raises Unexpected."""
        found = self.chat.wait(wanted, seconds=PATIENCE)
        if found is None:
            seen = f"{len(self.chat.messages)} others"
            raise Unexpected(expected=f"{expected} among the messages within {PATIENCE:g} s", seen=seen)
        return found


def about(message: Message, version: Version) -> bool:
    """Whether the team is told about that version."""
    return message.place == "team-chat" and f"{MODEL} version {version.number} " in message.text
