"""Turns a Discord command's options into the words that chat/parser.py takes: a subcommand, or one option `text`.

https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-structure
"""

from collections.abc import Mapping
from typing import Any

from webhooks.chat.parser import typed
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

_SUBCOMMAND, _CHAT_INPUT = 1, 1
_ORDER = ("text", "model", "experiment", "task", "version", "stage", "filter", "reason")  # of the usages in chat.py
_WITHOUT_STAGE = ("prune", "retry")
_NAMES = ("model", "experiment")  # which may hold spaces, and no quotation marks in a chat


def words(command: Mapping[str, Any]) -> str:
    """Return the words of an interaction's `data`. Raises InvalidEvent."""
    if command.get("type") != _CHAT_INPUT:
        raise InvalidEvent("not a slash command: commands of users' and messages' menus are not taken")
    given = _options(command)
    for name, option in given.items():
        if option.get("type") == _SUBCOMMAND:
            return f"{name} {_text(_options(option), staged=name not in _WITHOUT_STAGE)}"
    return _text(given, staged=True)


def _options(of: Mapping[str, Any]) -> dict[str, Any]:
    listed = of.get("options", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InvalidEvent("the command's options are not a list of objects")
    return {str(each.get("name")): each for each in listed}


def _text(options: Mapping[str, Any], *, staged: bool) -> str:
    """Order the options as the grammar does. staged: a stage stands before the reason."""
    values = {name: str(option.get("value", "")) for name, option in options.items()}
    if unknown := [name for name in values if name not in _ORDER]:
        raise InvalidEvent(f"{clean(unknown[0])} is no option that is known; they are {', '.join(_ORDER)}")
    if staged and "reason" in values:  # whose first word would be read as the stage that is missing
        values.setdefault("stage", "Production")
    quoted = {name: f'"{typed(values[name]).replace(chr(34), "")}"' for name in _NAMES if name in values}
    return " ".join((values | quoted)[name] for name in _ORDER if name in values)
