"""Turns a Discord command's options into the words that chat/parser.py takes: a subcommand, or one option `text`.

https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-structure
"""

from collections.abc import Mapping
from typing import Any

from registrar.events.types import STAGES
from webhooks.chat.arguments import LIKE_A_VERSION, first_word
from webhooks.chat.parser import normalize
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

_SUBCOMMAND, _CHAT_INPUT = 1, 1
_ORDER = (
    *("text", "model", "run", "experiment", "task", "version", "age", "keep", "stage", "filter", "order"),
    *("reason", "description", "tags"),
)  # as in the usages of commands.py
_STAGED = ("promote", "request", "approve", "breakglass", "reject", "cancel", "rollback")
_VOTES = ("approve", "reject", "cancel")
_NAMES = ("model", "experiment", "description")  # may have spaces; quotation marks are removed


def words(command: Mapping[str, Any]) -> str:
    """Return the words of an interaction's `data`. Raises InvalidEvent."""
    if command.get("type") != _CHAT_INPUT:
        raise InvalidEvent("not a slash command; commands of the menus of users and messages are not supported")
    options = _options(command)
    for name, option in options.items():
        if option.get("type") == _SUBCOMMAND:
            given = _options(option)
            by_record = name in _VOTES and "version" not in given
            return f"{name} {_text(given, staged=name in _STAGED, searched=name == 'register', by_record=by_record)}"
    return _text(options, staged=True)


def _options(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a command or subcommand by name. Raises InvalidEvent."""
    options = command.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        raise InvalidEvent("the command's options are not a list of objects")
    return {str(option.get("name")): option for option in options}


def _text(options: Mapping[str, Any], *, staged: bool, searched: bool = False, by_record: bool = False) -> str:
    """Return the options as words, in the order of the usages.

    staged: a stage goes before the reason. searched: an experiment is where the best run is. by_record: without a
    stage, the record finds the open promotion, to whatever stage.
    """
    values = {name: str(option.get("value", "")) for name, option in options.items()}
    if unknown := [name for name in values if name not in _ORDER]:
        raise InvalidEvent(f"{clean(unknown[0])} is no known option; the options are {', '.join(_ORDER)}")
    if staged and "reason" in values and "stage" not in values:  # else its first word could count as the stage
        if by_record:
            _check_reason(values["reason"])
        else:
            values["stage"] = "Production"
    quoted = {name: f'"{normalize(values[name]).replace(chr(34), "")}"' for name in _NAMES if name in values}
    before = {"experiment": "best "} if searched else {}
    before |= {"order": "order by ", "keep": "keep "}
    return " ".join(before.get(name, "") + (values | quoted)[name] for name in _ORDER if name in values)


def _check_reason(reason: str) -> None:
    """Raise InvalidEvent for a reason that begins like a version or a stage, which would count as that."""
    word, _ = first_word(normalize(reason))
    if word and (word.capitalize() in STAGES or LIKE_A_VERSION.fullmatch(word)):
        raise InvalidEvent(
            f"the reason begins with {clean(word)}: fill in version and stage, or begin it with another word"
        )
