"""Each plug-in offers what its folder's Protocol says: a file without `act` or `post` is found here, not by a task."""

import inspect
from types import ModuleType

import pytest

from registrar.plugins import kinds, load
from registrar.policy.base_model import Strict
from worker.actions import Action
from worker.notifications.notifiers import EditableNotifier, Notifier, ReplyingNotifier

ACTIONS, NOTIFIERS = "worker.actions", "worker.notifications.notifiers"


def differences(module: ModuleType, protocol: type, *names: str) -> list[str]:
    """What a module lacks of a Protocol's functions, or has with other parameters."""
    found = []
    for name in names:
        wanted = list(inspect.signature(getattr(protocol, name)).parameters.values())[1:]  # without self
        given = getattr(module, name, None)
        if given is None:
            found.append(f"{module.__name__} has no {name}()")
        elif list(inspect.signature(given).parameters.values()) != wanted:
            found.append(f"{module.__name__}.{name}{inspect.signature(given)} is not as {protocol.__name__} has it")
    return found


@pytest.mark.parametrize("verb", kinds(ACTIONS))
def test_each_action_acts(verb):
    assert differences(load(ACTIONS, verb), Action, "act") == []


@pytest.mark.parametrize("kind", kinds(NOTIFIERS))
def test_each_notifier_posts_and_does_the_rest_as_its_protocol_says(kind):
    module = load(NOTIFIERS, kind)
    assert differences(module, Notifier, "post") == []
    if hasattr(module, "edit"):
        assert differences(module, EditableNotifier, "edit") == []
    if hasattr(module, "reply") or hasattr(module, "HOSTS"):
        assert differences(module, ReplyingNotifier, "reply") == []
        assert isinstance(module.HOSTS, frozenset)
    assert set(getattr(module, "NEEDS", ())) <= {"url", "secret", "url or secret"}
    assert issubclass(getattr(module, "Options", Strict), Strict)
    assert getattr(module, "NEEDS_VERSION", False) in (True, False)


def test_a_plug_in_without_its_function_or_with_another_one_is_found():
    lacking, other = ModuleType("lacking"), ModuleType("other")
    other.post = lambda notice: None
    assert differences(lacking, Action, "act") == ["lacking has no act()"]
    assert differences(lacking, Notifier, "post") == ["lacking has no post()"]
    assert differences(other, Notifier, "post") == ["other.post(notice) is not as Notifier has it"]
