"""The steps of the demo: what a CI job and two people do, and what they must see in the registry."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from registrar.demo import senders
from registrar.demo.chat import Chat, Message
from registrar.demo.expect import PATIENCE, Unexpected, eventually, expect
from registrar.demo.registry import Registry, Version
from registrar.demo.screen import Screen

MODEL = "nyc-taxi-regressor"


@dataclass(frozen=True)
class Scene:
    """environment: of commands that run as processes. interrupt: called right after the events were accepted."""

    data: Path
    environment: Mapping[str, str]
    screen: Screen
    registry: Registry
    pipeline: senders.Pipeline
    slack: senders.Slack
    chat: Chat
    interrupt: Callable[[], None]

    def only_version(self, run: senders.Run) -> Version:
        """Return the one version of a run. Raises Unexpected if there are several, or none."""
        versions = self.registry.of_run(run.run_id)
        expect(len(versions) == 1, f"exactly one version of run {run.run_id}", seen=[str(v) for v in versions])
        return versions[0]

    def now(self, version: Version) -> Version:
        """Return the current state of a version."""
        return next(current for current in self.registry.versions() if current.number == version.number)

    def message(self, wanted: Callable[[Message], bool], expected: str) -> Message:
        """Return the newest message that is wanted, once there is one. Raises Unexpected."""
        message = self.chat.wait(wanted, seconds=PATIENCE)
        if message is None:
            seen = f"{len(self.chat.messages)} others"
            raise Unexpected(expected=f"{expected} among the messages within {PATIENCE:g} s", seen=seen)
        return message


def about(message: Message, version: Version) -> bool:
    """Return whether a message to the team is about that version."""
    return message.place == "team-chat" and f"{MODEL} version {version.number} " in message.text


LIMIT = 7.0  # of rmse, as in the demo's registrar.yml


def train(scene: Scene) -> tuple[senders.Run, senders.Run]:
    scene.screen.step(1, f"A team trains two models and logs them to {senders.EXPERIMENT}")
    runs = senders.train(
        scene.environment, seed=max((version.number for version in scene.registry.versions()), default=0)
    )
    for run in runs:
        scene.screen.saw(f"run {run.run_id}  {run.name:<17}  rmse {run.rmse:.2f} minutes")
        logged = scene.registry.logged(run.run_id)
        expect("extra_artifacts/vectorizer.pkl" in logged, "a vectorizer logged", seen=logged, look_at="mlflow")
    worse, better = runs
    expect(better.rmse < LIMIT < worse.rmse, "one rmse below 7 and one above", seen=runs, look_at="mlflow")
    scene.screen.good(f"{better.name} is clearly better")
    return worse, better


def register(scene: Scene, worse: senders.Run, better: senders.Run) -> tuple[Version, Version]:
    scene.screen.step(2, f"Its CI posts training_run.finished for both, signed: versions of {MODEL} appear")
    receipts = {run.run_id: scene.pipeline.finished(run, model=MODEL) for run in (worse, better)}
    for run in (worse, better):
        scene.screen.saw(f"posted {run.name}: 202, event {receipts[run.run_id].id}")
    again = scene.pipeline.finished(better, model=MODEL)
    expect(again.repeated and again.id == receipts[better.run_id].id, "a repeated delivery known", seen=again)
    scene.screen.saw(f"posted {better.name} once more: 200, the same event; nothing happens twice")
    scene.interrupt()
    for receipt in receipts.values():
        senders.result(receipt)
    first, second = (_registered(scene, run, receipts[run.run_id].id) for run in (worse, better))
    expect(first.number < second.number, "versions in the order of their events", seen=f"{first} and {second}")
    return first, second


def _registered(scene: Scene, run: senders.Run, event_id: str) -> Version:
    """Return the run's version, after checking the tags that say where it comes from."""
    version = scene.only_version(run)
    tags = {"registrar.run": run.run_id, "registrar.event": event_id, "registrar.commit": run.commit}
    expect(tags.items() <= version.tags.items(), f"tags {tags}", seen=dict(version.tags))
    expect("registrar.by" in version.tags and run.run_id in version.description, "who, and a description", seen=version)
    scene.screen.version(version)
    return version


def try_gates(scene: Scene, held_back: Version, candidate: Version) -> None:
    scene.screen.step(3, f"The gate lets rmse < {LIMIT:g} into Staging, and holds the other back")
    expect(candidate.stage == "Staging", f"version {candidate.number} in Staging", seen=candidate)
    expect("challenger" in candidate.aliases, f"@challenger is version {candidate.number}", seen=candidate)
    scene.screen.good(f"{candidate}")
    expect(held_back.stage == "None", f"version {held_back.number} in no stage", seen=held_back)
    reason = held_back.tags.get("registrar.held_back.Staging")
    expect(reason is not None, f"a reason in the tags of version {held_back.number}", seen=dict(held_back.tags))
    scene.screen.good(f"{held_back} was held back: {reason}")


def approve(scene: Scene, candidate: Version) -> Version:
    scene.screen.step(4, f"Version {candidate.number} needs a person's approval for Production")
    before = scene.registry.holders("Production")
    card = scene.message(lambda m: about(m, candidate) and "registrar.approve" in m.buttons, "the buttons")
    button = card.buttons["registrar.approve"]
    scene.screen.saw("Bob, who is in no approving group, presses Approve:")
    refused = scene.slack.answer(scene.slack.press(button, by=senders.BOB), seconds=PATIENCE)
    stays = scene.now(candidate)
    expect("not count" in refused.text and stays.stage == "Staging", "Bob refused", seen=f"{refused.text}; {stays}")
    scene.screen.saw("Ada presses Approve:")
    scene.slack.answer(scene.slack.press(button, by=senders.ADA), seconds=PATIENCE)
    promoted = _promoted(scene, candidate)
    for version in _archived(scene, [version for version in before if version.number != promoted.number]):
        scene.screen.good(f"the one before it: {version}")
    return promoted


def _promoted(scene: Scene, candidate: Version) -> Version:
    expected = f"version {candidate.number} in Production with @champion, no other version, and no other alias"
    # A move is several writes: between two of them MLflow shows both aliases.
    holders = eventually(
        lambda: scene.registry.holders("Production"),
        lambda found: [(v.number, v.aliases) for v in found] == [(candidate.number, ("champion",))],
        expected,
    )
    line = re.compile(rf"version {candidate.number} was transitioned to Production on \d{{4}}-\S+ .*by Ada")
    lines = eventually(lambda: line.findall(scene.now(candidate).description), bool, "its description to say by whom")
    scene.screen.good(f"{holders[0]}; its description says:")
    scene.screen.saw(f"  {lines[0]}")
    return holders[0]


def _archived(scene: Scene, before: list[Version]) -> list[Version]:
    def now() -> list[Version]:
        return [scene.now(version) for version in before]

    return eventually(now, lambda found: all(v.stage == "Archived" for v in found), "the previous holder archived")


COMMAND_SECONDS = 60


def check_notifications(scene: Scene, held_back: Version, promoted: Version) -> None:
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


def check_history(scene: Scene, promoted: Version) -> None:
    scene.screen.step(6, f"registrar history {MODEL}: which version was Production when, and by whose event")
    command = [sys.executable, "-m", "registrar", "--data", str(scene.data), "history", MODEL]
    done = subprocess.run(
        command, env=dict(scene.environment), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    expect(done.returncode == 0, "exit code 0 of registrar history", seen=done.stderr or done.stdout)
    scene.screen.saw(done.stdout)
    row = re.compile(rf"Production.*\b{promoted.number}\b|\b{promoted.number}\b.*Production")
    expect(bool(row.search(done.stdout)), f"version {promoted.number} in Production in the history", seen=done.stdout)


def play(scene: Scene) -> Version:
    """Play all steps, and return the version in Production. Raises Unexpected, requests.RequestException."""
    worse, better = train(scene)
    held_back, candidate = register(scene, worse, better)
    try_gates(scene, held_back, candidate)
    promoted = approve(scene, candidate)
    check_notifications(scene, held_back, promoted)
    check_history(scene, promoted)
    return promoted
