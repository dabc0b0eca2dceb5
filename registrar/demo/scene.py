"""What the demo's steps share: the parts they touch, and what they look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from registrar.demo import ci, people
from registrar.demo.chat import Chat, Message
from registrar.demo.expect import PATIENCE, Unexpected, expect
from registrar.demo.registry import Registry, Version
from registrar.demo.screen import Screen

MODEL = "nyc-taxi-regressor"


@dataclass(frozen=True)
class Scene:
    """environment: for commands run in a process of their own. interrupt: called right after the events were taken."""

    data: Path
    environment: Mapping[str, str]
    screen: Screen
    registry: Registry
    pipeline: ci.Pipeline
    slack: people.Slack
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
