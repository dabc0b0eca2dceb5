"""Parses a command typed in any chat system, and makes the immediate answer.

The worker posts the outcome later, to the reply address of the message.
"""

from dataclasses import dataclass

from registrar.events.types import Data
from webhooks.chat.commands import COMMANDS, Command, first_word
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

LATER = "The result will appear here."
ELSEWHERE = "The result goes to the channels that registrar.yml routes it to."


@dataclass(frozen=True)
class ParsedCommand:
    """A parsed command. data: of its event; None: there is nothing to do, and the text is the whole answer."""

    data: Data | None
    text: str


def parse(text: str, *, command: str = "/registry", later: str = LATER) -> ParsedCommand:
    """Parse the text after `command`. later: says where the result appears. Raises InvalidEvent with the usage."""
    first, rest = first_word(normalize(text))
    if first is None or first.lower() == "help":
        return ParsedCommand(None, _help(command))
    subcommand = COMMANDS.get(first.lower())
    if subcommand is None:
        raise InvalidEvent(f"{clean(first)} is no command; {command} help lists the commands")
    return _parse(subcommand, rest.strip(), command, later)


def normalize(text: str) -> str:
    """Normalise typed text: straight quotes, no invisible marks."""
    return text.translate(_NORMALIZED)


def _parse(subcommand: Command, rest: str, command: str, later: str) -> ParsedCommand:
    try:
        data = validation.data(subcommand.type, subcommand.read(rest))
    except InvalidEvent as error:
        messages = [_message(**each) for each in error.errors] or [error.detail]
        raise InvalidEvent(f"{'; '.join(messages)}. Use: {command} {subcommand.usage}", errors=error.errors) from None
    return ParsedCommand(data, _answer(subcommand, data, later))


def press_answer(data: Data, *, later: str = LATER) -> str:
    """Return the answer to a press of Approve or Reject."""
    return _answer(COMMANDS[data.type.removeprefix("promotion.")], data, later)


def _answer(subcommand: Command, data: Data, later: str) -> str:
    return f"{subcommand.accepted.format_map(data.model_dump())} {later}"


def _message(field: str, message: str) -> str:
    """Return an error with the field's name in the usage; an error of the whole data has no name."""
    if field == "data":
        return message.removeprefix("is wrong: ")
    name = field.removeprefix("data.")
    return f"{ {'target': 'stage', 'filter_string': 'filter', 'task_id': 'task'}.get(name, name) } {message}"


def _help(command: str) -> str:
    lines = [f"{command} {each.usage}: {each.description}" for each in COMMANDS.values()]
    return "\n".join([*lines, 'A name with spaces goes in quotes: "nyc taxi".'])


# Keyboards turn straight quotes into these; copied text may have invisible marks.
_NORMALIZED = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    }
    | dict.fromkeys("\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
