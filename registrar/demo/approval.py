"""Step 4: a button in the team's chat; one person may not press it, the other puts a version into Production."""

import re

from registrar.demo import people
from registrar.demo.expect import PATIENCE, eventually, expect
from registrar.demo.registry import Version
from registrar.demo.scene import Scene, about


def approve(scene: Scene, candidate: Version) -> Version:
    scene.screen.step(4, f"Version {candidate.number} needs a person's approval for Production")
    before = scene.registry.holders("Production")
    card = scene.message(lambda m: about(m, candidate) and "registrar.approve" in m.buttons, "the buttons")
    button = card.buttons["registrar.approve"]
    scene.screen.saw("Bob, who is in no approving group, presses Approve:")
    refused = scene.slack.answer(scene.slack.press(button, by=people.BOB), seconds=PATIENCE)
    stays = scene.now(candidate)
    expect("not count" in refused.text and stays.stage == "Staging", "Bob refused", seen=f"{refused.text}; {stays}")
    scene.screen.saw("Ada presses Approve:")
    scene.slack.answer(scene.slack.press(button, by=people.ADA), seconds=PATIENCE)
    promoted = _promoted(scene, candidate)
    for version in _archived(scene, [version for version in before if version.number != promoted.number]):
        scene.screen.good(f"the one before it: {version}")
    return promoted


def _promoted(scene: Scene, candidate: Version) -> Version:
    expected = f"version {candidate.number} in Production with @champion, and no other"
    holders = eventually(
        lambda: scene.registry.holders("Production"),
        lambda found: [v.number for v in found] == [candidate.number] and "champion" in found[0].aliases,
        expected,
    )
    line = re.compile(rf"version {candidate.number} was transitioned to Production on \d{{4}}-\S+ .*by Ada")
    said = eventually(lambda: line.findall(scene.now(candidate).description), bool, "its description to say by whom")
    scene.screen.good(f"{holders[0]}; its description says:")
    scene.screen.saw(f"  {said[0]}")
    return holders[0]


def _archived(scene: Scene, before: list[Version]) -> list[Version]:
    def now() -> list[Version]:
        return [scene.now(version) for version in before]

    return eventually(now, lambda found: all(v.stage == "Archived" for v in found), "the previous holder archived")
