"""The scripted pass: what a CI job and two people of a team do, and what they must see in the registry."""

from registrar.demo import approval, registration, telling
from registrar.demo.registry import Version
from registrar.demo.scene import Scene


def play(scene: Scene) -> Version:
    """All six steps; returns the version that is in Production then. Raises Unexpected, requests.RequestException."""
    worse, better = registration.train(scene)
    held_back, candidate = registration.register(scene, worse, better)
    registration.try_gates(scene, held_back, candidate)
    promoted = approval.approve(scene, candidate)
    telling.tell(scene, held_back, promoted)
    telling.recall(scene, promoted)
    return promoted
