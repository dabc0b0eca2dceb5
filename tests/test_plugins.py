"""Every file of a plug-in folder offers what the folder's contract asks for, with so many arguments."""

import inspect

import pytest

from registrar import plugins

CONTRACTS = {
    "webhooks.sources": {"check_secret": 1, "verify": 2, "normalise": 2},
    "worker.actions": {"act": 1},
    "worker.notifications.notifiers": {"post": 3},
}
OPTIONAL = {
    "webhooks.sources": {"check": 1, "handshake": 2, "compose": 2, "refuse": 2},
    "worker.actions": {},
    "worker.notifications.notifiers": {"edit": 4, "reply": 3},
}
EACH = [(folder, kind) for folder in CONTRACTS for kind in plugins.kinds(folder)]


def _arguments(function: object) -> int:
    """Return the number of arguments that can be given by position."""
    assert callable(function)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds for parameter in inspect.signature(function).parameters.values())


@pytest.mark.parametrize(("folder", "kind"), EACH, ids=[f"{folder}.{kind}" for folder, kind in EACH])
def test_a_plug_in_offers_what_its_contract_asks_for(folder: str, kind: str):
    module = plugins.load(folder, kind)
    optional = {name: number for name, number in OPTIONAL[folder].items() if hasattr(module, name)}
    for name, number in {**CONTRACTS[folder], **optional}.items():
        assert hasattr(module, name), f"{folder}.{kind} has no {name}: see the docstring of {folder}"
        assert _arguments(getattr(module, name)) == number, f"{folder}.{kind}.{name} takes {number} arguments"


def test_every_source_says_which_media_types_it_takes():
    lacking = [
        kind
        for kind in plugins.kinds("webhooks.sources")
        if not hasattr(plugins.load("webhooks.sources", kind), "CONTENT_TYPES")
    ]
    assert lacking == []
