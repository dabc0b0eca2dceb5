"""Steps 5 and 6: who was told, and what the record says afterwards."""

import re
import subprocess
import sys

from registrar.demo.expect import expect
from registrar.demo.message import Message
from registrar.demo.registry import Version
from registrar.demo.scene import MODEL, Scene, about

COMMAND_SECONDS = 60


def tell(scene: Scene, held_back: Version, promoted: Version) -> None:
    scene.screen.step(5, "People and the deploy system were told (above, as it arrived)")
    scene.message(lambda m: about(m, held_back) and "held back" in m.text, "what was held back")
    scene.message(lambda m: about(m, promoted) and "is in Production" in m.text, "the promotion")
    scene.message(lambda m: m.place == "deploy" and _deployed(m, promoted), "the deploy system told")
    count = sum(1 for message in scene.chat.messages if message.place == "team-chat")
    scene.screen.good(f"{count} messages in #team-chat; the deploy system knows of version {promoted.number}")


def _deployed(message: Message, version: Version) -> bool:
    data = message.content.data
    return (message.content.type, data.get("version"), data.get("stage")) == (
        "model_version.transitioned",
        version.number,
        "Production",
    )


def recall(scene: Scene, promoted: Version) -> None:
    scene.screen.step(6, f"registrar history {MODEL}: which version was Production when, and by whose event")
    command = [sys.executable, "-m", "registrar", "--data", str(scene.data), "history", MODEL]
    done = subprocess.run(
        command, env=dict(scene.environment), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    expect(done.returncode == 0, "exit code 0 of registrar history", seen=done.stderr or done.stdout)
    scene.screen.saw(done.stdout)
    row = re.compile(rf"Production.*\b{promoted.number}\b|\b{promoted.number}\b.*Production")
    expect(bool(row.search(done.stdout)), f"version {promoted.number} in Production in the history", seen=done.stdout)
